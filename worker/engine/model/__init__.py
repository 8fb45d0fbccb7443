"""From a Hugging Face config.json to Megatron's GPTModel: what is read, how it is configured, what it is built of."""

from worker.engine.model.architecture import Architecture, read_architecture
from worker.engine.model.build import build_model
from worker.engine.model.configuration import transformer_config

__all__ = ["Architecture", "build_model", "read_architecture", "transformer_config"]
