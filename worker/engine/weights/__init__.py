"""Weights in and out of Hugging Face folders: streamed safetensors, one mapping table per architecture."""

from worker.engine.weights.export import export_hf
from worker.engine.weights.load import load_hf

__all__ = ["export_hf", "load_hf"]
