"""Orders for the fake engine, which reads only the name and the number of steps of a spec."""

from __future__ import annotations

from tunedeck.bus import RunAttempt
from tunedeck.resolved import (
    ResolvedBatching,
    ResolvedData,
    ResolvedHardware,
    ResolvedModel,
    ResolvedOptimizer,
    ResolvedPrecision,
    ResolvedRecompute,
    ResolvedSpec,
)
from tunedeck.spec import Checkpointing, Evaluation, Parallelism

HOST = "test-host"
FOR_EVER = 1_000_000


def order(behaviour: str, num_steps: int, job_id: str = "job1", attempt: int = 1, num_devices: int = 1) -> RunAttempt:
    return RunAttempt(job_id=job_id, attempt=attempt, spec=_spec(behaviour, num_steps, num_devices), resume_from="")


def _spec(behaviour: str, num_steps: int, num_devices: int) -> ResolvedSpec:
    return ResolvedSpec(
        name=behaviour,
        seed=1,
        model=ResolvedModel(
            name="m", path="/m", architecture="Qwen3ForCausalLM", num_parameters=1, num_layers=1, hidden_size=8,
            num_attention_heads=1, num_query_groups=1, vocab_size=8, max_position_embeddings=8,
        ),
        data=ResolvedData(
            name="d", path="/d", content_sha256="0", num_rows=1, loss_mask_type="qwen", num_validation_rows=0
        ),
        batching=ResolvedBatching(
            max_tokens_per_gpu=16, global_batch_size=1, train_iters=num_steps, rollout_shuffle=False
        ),
        optimizer=ResolvedOptimizer(
            lr=1e-5, min_lr=0, lr_decay_style="cosine", lr_warmup_iters=0, weight_decay=0, adam_beta1=0.9,
            adam_beta2=0.95, adam_eps=1e-8, clip_grad=1,
        ),
        parallelism=Parallelism(),
        precision=ResolvedPrecision(
            params_dtype="fp32", fp8_format="none", fp8_recipe="blockwise", fp8_param_gather=False
        ),
        recompute=ResolvedRecompute(recompute_granularity="none", recompute_num_layers=1),
        evaluation=Evaluation(),
        checkpointing=Checkpointing(),
        hardware=ResolvedHardware(
            device="cpu", num_devices=num_devices, data_parallel_size=num_devices, threads_per_process=1
        ),
    )  # fmt: skip
