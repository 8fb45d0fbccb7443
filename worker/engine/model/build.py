"""LanguageModel: one chunk per pipeline stage of this rank, with zero weights that worker/engine/weights then reads."""

from __future__ import annotations

from megatron.core import parallel_state
from megatron.core.tensor_parallel import layers
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.module import Float16Module, MegatronModule

from tunedeck.architecture import Architecture
from tunedeck.resolved import ResolvedSpec
from worker.engine.model.configuration import transformer_config
from worker.engine.model.language_model import LanguageModel, padded_vocab_size
from worker.engine.model.layer_spec import local_block_spec, transformer_engine_layer_spec
from worker.engine.platform import Platform


def build_model(architecture: Architecture, spec: ResolvedSpec, platform: Platform) -> list[MegatronModule]:
    """The model chunks of this rank (several with a virtual pipeline), on the device, not yet wrapped in DDP.

    Call after `init_parallel`, inside `platform.active()`. In bf16 a chunk is wrapped in Float16Module, which hands the
    logits and the loss out in fp32.
    """
    config = transformer_config(architecture, spec)
    # Megatron's output layer refuses gradient_accumulation_fusion without Apex's kernel, which only its own forward
    # pass would use; LanguageModel takes its weight and goes another way.
    layers._grad_accum_fusion_available = True
    num_chunks = config.virtual_pipeline_model_parallel_size
    numbers = [None] if num_chunks is None else range(num_chunks)
    models = [_gpt_model(architecture, config, platform, number) for number in numbers]
    if platform.device.type == "cuda":
        for model in models:
            model.cuda(platform.device)
    return [Float16Module(config, model) if config.bf16 else model for model in models]


def _gpt_model(
    architecture: Architecture, config: TransformerConfig, platform: Platform, chunk: int | None
) -> LanguageModel:
    fields = {
        "config": config,
        "transformer_layer_spec": (
            transformer_engine_layer_spec(config) if platform.device.type == "cuda" else local_block_spec(config, chunk)
        ),
        "vocab_size": padded_vocab_size(architecture.vocab_size, config.tensor_model_parallel_size),
        "num_tokens": architecture.vocab_size,
        "max_sequence_length": architecture.max_position_embeddings,
        "pre_process": parallel_state.is_pipeline_first_stage(ignore_virtual=chunk is None, vp_stage=chunk),
        "post_process": parallel_state.is_pipeline_last_stage(ignore_virtual=chunk is None, vp_stage=chunk),
        "vp_stage": chunk,
        "share_embeddings_and_output_weights": architecture.tied_embeddings,
        "position_embedding_type": "rope",
        "rotary_base": architecture.rotary_base,
        "rope_scaling": architecture.rope_scaling_factor != 1.0,
        "rope_scaling_factor": architecture.rope_scaling_factor,
    }
    return LanguageModel(**fields)
