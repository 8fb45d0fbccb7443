"""What tests of the backend start from: a model folder, a data set, a host, and a spec that runs on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from sqlalchemy.orm import Session

from backend.db.tables.hosts import HostRow
from tests.support.tokenizers import write_tokenizer
from tunedeck.bus import Device, HostFacts

TINY_CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "rms_norm_eps": 1e-6,
    "vocab_size": 16,
    "max_position_embeddings": 64,
}
TINY_NUM_PARAMETERS = 16 * 8 + 8
SPEC: dict[str, Any] = {"name": "first", "model": "tiny", "dataset": "chats", "batching": {"global_batch_size": 4}}


def write_model(folder: Path, **config: Any) -> Path:
    """A Hugging Face folder that registration accepts; its weights are two small tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG | config))
    write_tokenizer(folder)
    tensors = {"model.embed_tokens.weight": np.zeros((16, 8), np.float32), "model.norm.weight": np.ones(8, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    return folder


def conversation(question: str = "2+2?", answer: str = "4") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write_dataset(file: Path, num_rows: int = 40) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(conversation(f"{n}+1?", str(n + 1))) + "\n" for n in range(num_rows)))
    return file


def host_facts(name: str = "box", num_devices: int = 4) -> HostFacts:
    """A host that trains on its CPU cores."""
    cores = tuple(
        Device(index=index, name="core", memory_bytes=1 << 30, compute_capability=(0, 0))
        for index in range(num_devices)
    )
    return HostFacts(
        name=name,
        kind="cpu",
        devices=cores,
        memory_bytes=8 << 30,
        cuda_version="",
        transformer_engine_version="",
        worker_version="0.1.0",
    )


def add_host(session: Session, now: float, **facts: Any) -> None:
    described = host_facts(**facts)
    session.add(
        HostRow(
            name=described.name,
            facts=described.model_dump(mode="json"),
            num_devices=len(described.devices),
            last_seen_at=now,
        )
    )
