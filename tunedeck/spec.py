"""What a user asks for: JobSpec, one frozen model per component, in Megatron's own spelling.

Every field has a default or is required; `None` appears only where it means "decide for me", and `resolve/` replaces
it. Unknown keys are refused, so that a misspelt flag can never be silently ignored. A flat list of 150 flags (the
recipe's own form) was rejected: nobody can see which flags belong together.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunedeck.component import Component as Component

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="letters, digits, '.', '_', '-'")]
Positive = Annotated[int, Field(ge=1, le=2**40)]
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]

LossMaskType = Literal["qwen", "qwen3", "qwen3_5", "distill_qwen"]
DecayStyle = Literal["cosine", "linear", "constant", "WSD"]
WsdDecayStyle = Literal["exponential", "linear", "cosine", "minus_sqrt"]
Fp8Recipe = Literal["delayed", "tensorwise", "blockwise", "mxfp8"]
RecomputeMethod = Literal["uniform", "block"]
WandbMode = Literal["offline", "online"]
LauncherName = Literal["local", "ray"]
Label = Annotated[str, Field(pattern=r"^[^\s/\\#?%:]{1,128}$", description="no spaces, none of / \\ # ? % :")]


class Data(Component):
    """What is trained: which tokens of a conversation count, how their losses are averaged, what is held out."""

    dataset_version: Positive | None = Field(None, description="None: the newest version of the data set")
    loss_mask_type: LossMaskType = Field("qwen", description="which tokens are trained; docs/recipe.md compares them")
    calculate_per_token_loss: bool = Field(
        True, description="mean over all trained tokens of a batch; off: mean over conversations of their own means"
    )
    validation_fraction: Annotated[float, Field(ge=0.0, le=0.5)] | None = Field(
        None, description="share of the rows held out; None: 0.02, or nothing with validation_dataset"
    )
    validation_dataset: Name | None = Field(None, description="a registered data set to validate on instead")


class Batching(Component):
    """How conversations become microbatches and global batches."""

    use_dynamic_batch_size: bool = Field(
        True, description="fill microbatches up to max_tokens_per_gpu; off: micro_batch_size conversations in each"
    )
    max_tokens_per_gpu: int = Field(4096, ge=16, le=2**22, description="tokens of one packed microbatch on one rank")
    micro_batch_size: Positive | None = Field(
        None, description="conversations of a microbatch, only without use_dynamic_batch_size; then None means 1"
    )
    global_batch_size: int = Field(32, ge=1, le=2**20, description="conversations per optimizer step")
    num_epoch: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        None, description="passes over the training part; neither this nor train_iters: one"
    )
    train_iters: Positive | None = Field(None, description="optimizer steps; not together with num_epoch")
    rollout_shuffle: bool = Field(True, description="shuffle each epoch from the original order with seed + epoch")
    balance_data: bool = Field(True, description="even out the tokens of the data-parallel ranks (Karmarkar-Karp)")


class Optimizer(Component):
    """AdamW with decoupled weight decay; warm-up, then a decay from lr to min_lr over all steps."""

    lr: float = Field(1e-5, gt=0, le=10, description="learning rate after the warm-up")
    min_lr: float = Field(0.0, ge=0, le=10, description="what the learning rate decays to")
    lr_decay_style: DecayStyle = Field("cosine", description="WSD: warm-up, stable, then a decay in the last steps")
    lr_wsd_decay_style: WsdDecayStyle | None = Field(
        None, description="form of the decay, only with WSD; None: exponential"
    )
    lr_wsd_decay_iters: Positive | None = Field(
        None, description="steps of the decay, only with WSD; None: a tenth of all steps"
    )
    lr_warmup_fraction: Share | None = Field(
        None, description="share of all steps; not together with lr_warmup_iters; neither: 0.1"
    )
    lr_warmup_iters: Annotated[int, Field(ge=0, le=2**31)] | None = Field(None, description="steps of warm-up")
    weight_decay: float = Field(0.1, ge=0, le=10, description="not applied to norm weights and biases")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="decay of the first moment")
    adam_beta2: float = Field(0.95, ge=0, lt=1, description="decay of the second moment")
    adam_eps: float = Field(1e-8, gt=0, le=1, description="added to the denominator of the update")
    clip_grad: float = Field(1.0, ge=0, le=1e6, description="global gradient norm; 0 switches clipping off")


class Parallelism(Component):
    """Layout of the ranks. Data parallelism is what is left: devices / (tensor × pipeline × context)."""

    tensor_model_parallel_size: int = Field(1, ge=1, le=1024, description="ranks that share each matrix")
    sequence_parallel: bool = Field(
        False, description="tensor-parallel ranks share norms and residuals by token; with one rank nothing to share"
    )
    pipeline_model_parallel_size: int = Field(1, ge=1, le=1024, description="stages of layers")
    virtual_pipeline_model_parallel_size: int = Field(
        1, ge=1, le=1024, description="pieces of layers on each pipeline stage; 1: no interleaving"
    )
    context_parallel_size: int = Field(1, ge=1, le=1024, description="ranks that share each sequence, zig-zag")
    expert_model_parallel_size: int = Field(1, ge=1, le=1024, description="ranks that share the experts of a layer")
    expert_tensor_parallel_size: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="ranks that share each expert; None: as tensor_model_parallel_size"
    )
    use_distributed_optimizer: bool = Field(True, description="data-parallel ranks share the optimizer's state")
    overlap_grad_reduce: bool = Field(False, description="reduce gradients while the backward pass goes on")
    overlap_param_gather: bool = Field(False, description="gather parameters while the forward pass goes on")
    distributed_timeout_minutes: float = Field(
        10.0,
        gt=0,
        le=10_000,
        description="a rank that hangs, or ranks that wait for each other, end the run after so long",
    )


class Precision(Component):
    """What is computed and what is kept in which type."""

    params_dtype: Literal["bf16", "fp32"] | None = Field(None, description="None: bf16 on a GPU, fp32 on a CPU")
    fp8_format: Literal["e4m3", "hybrid"] | None = Field(None, description="None: no FP8")
    fp8_recipe: Fp8Recipe | None = Field(None, description="None: blockwise; only together with fp8_format")
    fp8_param_gather: bool = Field(False, description="keep weights in FP8 and gather them in FP8")
    reuse_grad_buf_for_mxfp8_param_ag: bool = Field(
        False, description="gather mxfp8 weights through the gradient buffer; only with mxfp8 and fp8_param_gather"
    )
    activation_func_fp8_input_store: bool = Field(False, description="keep the input of SwiGLU in FP8 for backward")
    first_last_layers_bf16: bool = Field(False, description="compute the first and last layers in bf16; not delayed")
    num_layers_at_start_in_bf16: Annotated[int, Field(ge=0, le=1024)] | None = Field(
        None, description="only with first_last_layers_bf16; then None means 1"
    )
    num_layers_at_end_in_bf16: Annotated[int, Field(ge=0, le=1024)] | None = Field(
        None, description="only with first_last_layers_bf16; then None means 1"
    )
    accumulate_allreduce_grads_in_fp32: bool = Field(True, description="sum gradients in fp32; off: in bf16")
    attention_softmax_in_fp32: bool = Field(True, description="our attention kernels know no other way")
    use_precision_aware_optimizer: bool = Field(
        False, description="lets main gradients, main parameters and Adam's moments be of other types than fp32"
    )
    main_grads_dtype: Literal["fp32", "bf16"] = Field("fp32", description="type of the gradients that the update reads")
    main_params_dtype: Literal["fp32", "fp16"] = Field("fp32", description="type of the parameters that are updated")
    exp_avg_dtype: Literal["fp32", "fp16", "bf16", "fp8"] = Field("fp32", description="type of Adam's first moment")
    exp_avg_sq_dtype: Literal["fp32", "fp16", "bf16", "fp8"] = Field("fp32", description="type of Adam's second moment")
    optimizer_cpu_offload: bool = Field(False, description="keep and update the optimizer's state on the host")
    optimizer_offload_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of the state on the host, only with optimizer_cpu_offload; then None means all"
    )


class Experts(Component):
    """Losses beside that of the tokens, for models with a mixture of experts."""

    # Megatron's seq_aux_loss would take a whole packed microbatch for one sequence, and its global_aux_loss takes the
    # microbatches of all ranks to be equally long.
    moe_router_load_balancing_type: Literal["none", "aux_loss"] = Field(
        "none", description="aux_loss: experts that get more than their share of tokens cost something"
    )
    moe_aux_loss_coeff: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="weight of that loss, summed over layers; only with aux_loss, and then None means 0.001"
    )
    moe_z_loss_coeff: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="weight of a loss that keeps the router's logits small; None: no such loss"
    )


class Recompute(Component):
    """What the backward pass computes again instead of keeping it."""

    recompute_granularity: Literal["none", "selective", "full"] = Field(
        "none", description="whole layers (full) or the core attention alone (selective)"
    )
    recompute_method: RecomputeMethod | None = Field(
        None, description="only with full: groups of layers (uniform) or the first layers of a stage; None: uniform"
    )
    recompute_num_layers: Positive | None = Field(
        None, description="only with full: layers of a group, or how many layers of a stage; None: 1"
    )


class Evaluation(Component):
    """Validation losses and what follows from them."""

    eval_interval: int = Field(
        50, ge=0, le=2**31, description="steps between validation losses; 0: only first and last"
    )
    early_stop_patience: int = Field(
        0, ge=0, le=2**31, description="end after so many validation losses in a row without a better one; 0: never"
    )
    early_stop_min_delta: float = Field(0.0, ge=0, le=100, description="a loss must fall by more to count as better")
    keep_best: bool = Field(
        False, description="keep the checkpoint of the lowest validation loss and export it at the end"
    )


class Checkpointing(Component):
    save_interval: int = Field(1000, ge=0, le=2**31, description="steps between checkpoints; 0: only at the end")
    keep_last: Positive = Field(3, description="older checkpoints are removed")
    async_save: bool = Field(True, description="write checkpoints while training goes on")
    export_hf: bool = Field(True, description="write a Hugging Face folder at the end")


class Tracking(Component):
    """What is recorded besides the events of the run."""

    use_wandb: bool = Field(False, description="write a Weights & Biases run")
    wandb_mode: WandbMode | None = Field(None, description="None: offline, into the run folder")
    wandb_project: Label | None = Field(None, description="None: tunedeck")
    wandb_group: Label | None = Field(None, description="None: no group")
    use_tensorboard: bool = Field(False, description="write TensorBoard event files into the run folder")
    profile_step_start: Positive | None = Field(None, description="first step that torch's profiler records")
    profile_step_end: Positive | None = Field(None, description="the step before which it ends; needs the start")
    record_memory_history: bool = Field(False, description="record CUDA allocations; a snapshot at the end and at OOM")


class Resources(Component):
    """Devices of one host, or of several hosts of a Ray cluster."""

    num_devices: int = Field(1, ge=1, le=4096, description="GPUs; on a host without GPUs, CPU processes")
    launcher: LauncherName = Field("local", description="local: on one host; ray: on hosts of a Ray cluster")
    num_nodes: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="different hosts that share the devices evenly, only with ray; none: as few as can hold them"
    )


class Queue(Component):
    """How the job waits for its devices, and what becomes of it when an attempt is lost."""

    priority: Priority = Field(0, description="higher ones are placed first")
    preemptible: bool = Field(True, description="may be paused, with a checkpoint, for a job of higher priority")
    max_attempts: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="attempts in a row without a new checkpoint before the job fails; None: the service's"
    )


class JobSpec(Component):
    """A supervised fine-tuning job as asked. `model` and `dataset` are names of the registry, never paths."""

    name: Name
    model: Name = Field(description="a registered model")
    dataset: Name = Field(description="a registered data set")
    preset: Name | None = Field(None, description="values that the given fields are laid over")
    seed: int = Field(42, ge=0, le=2**31 - 1, description="of the split into training and validation, and of the order")
    data: Data = Data()
    batching: Batching = Batching()
    optimizer: Optimizer = Optimizer()
    parallelism: Parallelism = Parallelism()
    precision: Precision = Precision()
    experts: Experts = Experts()
    recompute: Recompute = Recompute()
    evaluation: Evaluation = Evaluation()
    checkpointing: Checkpointing = Checkpointing()
    tracking: Tracking = Tracking()
    resources: Resources = Resources()
    queue: Queue = Queue()
