"""The functions of megatron-core 0.16.1 that worker/engine/platform/cuda_on_cpu.py was reviewed to answer."""

KNOWN_CALL_SITES: frozenset[str] = frozenset(
    [
        "distributed/param_and_grad_buffer.py:_ParamAndGradBuffer.__init__",
        "models/common/embeddings/rotary_pos_embedding.py:RotaryEmbedding.get_emb",
        "models/common/language_module/language_module.py:LanguageModule.setup_embeddings_and_output_layer",
        "optimizer/clip_grads.py:clip_grad_by_total_norm_fp32",
        "optimizer/clip_grads.py:get_grad_norm_fp32",
        "optimizer/distrib_optimizer.py:DistributedOptimizer.__init__",
        "optimizer/distrib_optimizer.py:DistributedOptimizer._build_model_and_main_param_groups",
        "optimizer/optimizer.py:FP32Optimizer.__init__",
        "optimizer/optimizer.py:MixedPrecisionOptimizer.__init__",
        "pipeline_parallel/p2p_communication.py:P2PCommunicator._communicate",
        "pipeline_parallel/p2p_communication.py:P2PCommunicator._communicate.<locals>.create_tensor_recv_next",
        "pipeline_parallel/p2p_communication.py:P2PCommunicator._communicate.<locals>.create_tensor_recv_prev",
        "pipeline_parallel/p2p_communication.py:P2PCommunicator._communicate_shapes",
        "pipeline_parallel/schedules.py:forward_backward_no_pipelining",
        "pipeline_parallel/schedules.py:forward_backward_pipelining_without_interleaving",
        "tensor_parallel/layers.py:LinearWithGradAccumulationAndAsyncCommunication.backward",
        "tensor_parallel/mappings.py:_gather_along_first_dim",
        "tensor_parallel/mappings.py:_gather_along_last_dim",
        "tensor_parallel/mappings.py:_reduce_scatter_along_first_dim",
        "tensor_parallel/random.py:CudaRNGStatesTracker.add",
        "tensor_parallel/random.py:CudaRNGStatesTracker.fork",
        "tensor_parallel/random.py:_get_all_rng_states",
        "tensor_parallel/random.py:_set_all_rng_states",
        "tensor_parallel/random.py:model_parallel_cuda_manual_seed",
        "utils.py:GlobalMemoryBuffer.get_tensor",
        "utils.py:local_multi_tensor_l2_norm",
    ]
)
