"""From an Architecture and a spec to Megatron's GPTModel: how it is configured and what it is built of."""

from worker.engine.model.build import build_model
from worker.engine.model.configuration import transformer_config

__all__ = ["build_model", "transformer_config"]
