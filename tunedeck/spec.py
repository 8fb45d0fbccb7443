"""What a user asks for: JobSpec, one frozen model per component, in Megatron's own spelling.

Every field has a default or is required; `None` appears only where it means "decide for me", and `resolve.py` replaces
it. Unknown keys are refused, so that a misspelt flag can never be silently ignored. A flat list of 150 flags (the
recipe's own form) was rejected: nobody can see which flags belong together.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunedeck.component import Component as Component

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$", description="letters, digits, '.', '_', '-'")]
Positive = Annotated[int, Field(ge=1, le=2**40)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]

LossMaskType = Literal["qwen", "qwen3", "distill_qwen"]


class Batching(Component):
    """How conversations become microbatches and global batches."""

    max_tokens_per_gpu: int = Field(4096, ge=16, le=2**22, description="tokens of one packed microbatch on one rank")
    global_batch_size: int = Field(32, ge=1, le=2**20, description="conversations per optimizer step")
    num_epoch: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        None, description="passes over the training part; neither this nor train_iters: one"
    )
    train_iters: Positive | None = Field(None, description="optimizer steps; not together with num_epoch")
    rollout_shuffle: bool = Field(True, description="shuffle each epoch from the original order with seed + epoch")


class Optimizer(Component):
    """AdamW with decoupled weight decay; warm-up, then a decay from lr to min_lr over all steps."""

    lr: float = Field(1e-5, gt=0, le=10)
    min_lr: float = Field(0.0, ge=0, le=10)
    lr_decay_style: Literal["cosine", "linear", "constant"] = "cosine"
    lr_warmup_fraction: Share | None = Field(None, description="share of all steps; not together with lr_warmup_iters")
    lr_warmup_iters: Annotated[int, Field(ge=0, le=2**31)] | None = Field(None, description="steps of warm-up")
    weight_decay: float = Field(0.1, ge=0, le=10)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.95, ge=0, lt=1)
    adam_eps: float = Field(1e-8, gt=0, le=1)
    clip_grad: float = Field(1.0, ge=0, le=1e6, description="global gradient norm; 0 switches clipping off")


class Parallelism(Component):
    """Layout of the ranks. Data parallelism is what is left: devices / (tensor × pipeline)."""

    tensor_model_parallel_size: int = Field(1, ge=1, le=1024)
    pipeline_model_parallel_size: int = Field(1, ge=1, le=1024)
    sequence_parallel: bool = False
    use_distributed_optimizer: bool = True


class Precision(Component):
    """What is computed in which type. `params_dtype=None` means bf16 on a GPU and fp32 on a CPU."""

    params_dtype: Literal["bf16", "fp32"] | None = None
    fp8_format: Literal["e4m3", "hybrid"] | None = Field(None, description="None: no FP8")
    fp8_recipe: Literal["delayed", "tensorwise", "blockwise", "mxfp8"] | None = Field(
        None, description="None: blockwise; only together with fp8_format"
    )
    fp8_param_gather: bool = False


class Recompute(Component):
    recompute_granularity: Literal["none", "selective", "full"] = "none"
    recompute_num_layers: Positive = 1


class Data(Component):
    loss_mask_type: LossMaskType = "qwen"
    validation_fraction: Annotated[float, Field(ge=0.0, le=0.5)] = Field(0.02, description="share of the rows held out")


class Evaluation(Component):
    eval_interval: int = Field(
        50, ge=0, le=2**31, description="steps between validation losses; 0: only first and last"
    )


class Checkpointing(Component):
    save_interval: int = Field(1000, ge=0, le=2**31, description="steps between checkpoints; 0: only at the end")
    keep_last: Positive = Field(3, description="older checkpoints are removed")
    export_hf: bool = Field(True, description="write a Hugging Face folder at the end")


class Resources(Component):
    num_devices: int = Field(1, ge=1, le=4096, description="GPUs; on a host without GPUs, CPU processes")


class JobSpec(Component):
    """A supervised fine-tuning job as asked. `model` and `dataset` are names of the registry, never paths."""

    name: Name
    model: Name
    dataset: Name
    preset: Name | None = Field(None, description="values that the given fields are laid over")
    seed: int = Field(42, ge=0, le=2**31 - 1)
    data: Data = Data()
    batching: Batching = Batching()
    optimizer: Optimizer = Optimizer()
    parallelism: Parallelism = Parallelism()
    precision: Precision = Precision()
    recompute: Recompute = Recompute()
    evaluation: Evaluation = Evaluation()
    checkpointing: Checkpointing = Checkpointing()
    resources: Resources = Resources()
