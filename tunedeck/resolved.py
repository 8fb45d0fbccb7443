"""What the engine is told: ResolvedSpec, every default filled in, nothing optional, nothing left to guess.

It is written to `spec.json` of the attempt's run folder and is all that the engine reads. It refuses to hold names of
the registry or anything that needs a look-up: paths are absolute, sizes are numbers. Where a field was left open, the
resolved one says what was chosen; "" and 0 stand for "none" where a name or a step may be missing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.conversations.reading import Reading
from tunedeck.spec import (
    Checkpointing,
    Component,
    DecayStyle,
    Evaluation,
    Fp8Recipe,
    LauncherName,
    LossMaskType,
    Parallelism,
    RecomputeMethod,
    WandbMode,
    WsdDecayStyle,
)


class ResolvedModel(Component):
    """Sizes of the model; `num_experts` and `moe_ffn_hidden_size` are 0 for a dense one."""

    name: str
    path: str
    architecture: str
    num_parameters: int
    num_layers: int
    hidden_size: int
    ffn_hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    num_experts: int
    moe_ffn_hidden_size: int
    vocab_size: int
    max_position_embeddings: int


class ResolvedData(Component):
    """With a validation data set, `validation_path` names its file and nothing is held out of the training rows."""

    name: str
    version: int = Field(1, description="of the data set; its content is named by content_sha256")
    path: str
    content_sha256: str
    reading: Reading = Field(Reading(), description="how the file is read: as it was checked at registration")
    num_rows: int
    loss_mask_type: LossMaskType
    calculate_per_token_loss: bool
    num_validation_rows: int
    validation_dataset: str
    validation_path: str
    validation_sha256: str
    validation_version: int = 1
    validation_reading: Reading = Reading()


class ResolvedBatching(Component):
    """`micro_batch_size` counts only without `use_dynamic_batch_size`, `max_tokens_per_gpu` only with it."""

    use_dynamic_batch_size: bool
    max_tokens_per_gpu: int
    micro_batch_size: int
    global_batch_size: int
    train_iters: int
    rollout_shuffle: bool
    balance_data: bool


class ResolvedOptimizer(Component):
    """`lr_wsd_decay_iters` is 0 for every style but WSD."""

    lr: float
    min_lr: float
    lr_decay_style: DecayStyle
    lr_wsd_decay_style: WsdDecayStyle
    lr_wsd_decay_iters: int
    lr_warmup_iters: int
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    adam_eps: float
    clip_grad: float


class ResolvedParallelism(Parallelism):
    expert_tensor_parallel_size: int = 1


class ResolvedPrecision(Component):
    params_dtype: Literal["bf16", "fp32"]
    fp8_format: Literal["none", "e4m3", "hybrid"]
    fp8_recipe: Fp8Recipe
    fp8_param_gather: bool
    reuse_grad_buf_for_mxfp8_param_ag: bool
    activation_func_fp8_input_store: bool
    first_last_layers_bf16: bool
    num_layers_at_start_in_bf16: int
    num_layers_at_end_in_bf16: int
    accumulate_allreduce_grads_in_fp32: bool
    attention_softmax_in_fp32: bool
    use_precision_aware_optimizer: bool
    main_grads_dtype: Literal["fp32", "bf16"]
    main_params_dtype: Literal["fp32", "fp16"]
    exp_avg_dtype: Literal["fp32", "fp16", "bf16", "fp8"]
    exp_avg_sq_dtype: Literal["fp32", "fp16", "bf16", "fp8"]
    optimizer_cpu_offload: bool
    optimizer_offload_fraction: float


class ResolvedExperts(Component):
    """A coefficient of 0 is a loss that there is not."""

    moe_router_load_balancing_type: Literal["none", "aux_loss"] = "none"
    moe_aux_loss_coeff: float = 0.0
    moe_z_loss_coeff: float = 0.0


class ResolvedRecompute(Component):
    """Method and number of layers count only where the granularity is `full`."""

    recompute_granularity: Literal["none", "selective", "full"]
    recompute_method: RecomputeMethod
    recompute_num_layers: int


class ResolvedTracking(Component):
    """The profiler records the steps from `profile_step_start` to before `profile_step_end`; both 0: none."""

    use_wandb: bool
    wandb_mode: WandbMode
    wandb_project: str
    wandb_group: str
    use_tensorboard: bool
    profile_step_start: int
    profile_step_end: int
    record_memory_history: bool


class ResolvedHardware(Component):
    """`device` decides gloo or NCCL, local or Transformer Engine layers; nothing else in the engine asks.

    `num_devices` are all of the job, `num_nodes` divides them. `is_spread`: no two nodes may be the same host.
    """

    device: Literal["cpu", "cuda"]
    num_devices: int
    data_parallel_size: int
    threads_per_process: int
    launcher: LauncherName = "local"
    num_nodes: int = 1
    is_spread: bool = False

    @property
    def num_devices_per_node(self) -> int:
        return self.num_devices // self.num_nodes


class ResolvedSpec(Component):
    name: str
    seed: int
    model: ResolvedModel
    data: ResolvedData
    batching: ResolvedBatching
    optimizer: ResolvedOptimizer
    parallelism: ResolvedParallelism
    precision: ResolvedPrecision
    experts: ResolvedExperts = ResolvedExperts()
    recompute: ResolvedRecompute
    evaluation: Evaluation
    checkpointing: Checkpointing
    tracking: ResolvedTracking
    hardware: ResolvedHardware
