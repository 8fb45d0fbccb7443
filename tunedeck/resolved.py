"""What the engine is told: ResolvedSpec, every default filled in, nothing optional, nothing left to guess.

It is written to `spec.json` of the attempt's run folder and is all that the engine reads. It refuses to hold names of
the registry or anything that needs a look-up: paths are absolute, sizes are numbers.
"""

from __future__ import annotations

from typing import Literal

from tunedeck.spec import Checkpointing, Component, Evaluation, LossMaskType, Parallelism


class ResolvedModel(Component):
    name: str
    path: str
    architecture: str
    num_parameters: int
    num_layers: int
    hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    vocab_size: int
    max_position_embeddings: int


class ResolvedData(Component):
    name: str
    path: str
    content_sha256: str
    num_rows: int
    loss_mask_type: LossMaskType
    num_validation_rows: int


class ResolvedBatching(Component):
    max_tokens_per_gpu: int
    global_batch_size: int
    train_iters: int
    rollout_shuffle: bool


class ResolvedOptimizer(Component):
    lr: float
    min_lr: float
    lr_decay_style: Literal["cosine", "linear", "constant"]
    lr_warmup_iters: int
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    adam_eps: float
    clip_grad: float


class ResolvedPrecision(Component):
    params_dtype: Literal["bf16", "fp32"]
    fp8_format: Literal["none", "e4m3", "hybrid"]
    fp8_recipe: Literal["delayed", "tensorwise", "blockwise", "mxfp8"]
    fp8_param_gather: bool


class ResolvedRecompute(Component):
    recompute_granularity: Literal["none", "selective", "full"]
    recompute_num_layers: int


class ResolvedHardware(Component):
    """`device` decides gloo or NCCL, local or Transformer Engine layers; nothing else in the engine asks."""

    device: Literal["cpu", "cuda"]
    num_devices: int
    data_parallel_size: int
    threads_per_process: int


class ResolvedSpec(Component):
    name: str
    seed: int
    model: ResolvedModel
    data: ResolvedData
    batching: ResolvedBatching
    optimizer: ResolvedOptimizer
    parallelism: Parallelism
    precision: ResolvedPrecision
    recompute: ResolvedRecompute
    evaluation: Evaluation
    checkpointing: Checkpointing
    hardware: ResolvedHardware
