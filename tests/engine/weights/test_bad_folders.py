"""A folder that cannot be loaded is refused with the file or the tensor at fault, before any weight is copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.engine.model.specs import layout_spec
from tests.engine.weights import one_rank
from tests.engine.weights.hf_models import write_hf_model
from tunedeck.errors import Conflict, DiskFull, ModelInvalid, PathRefused
from worker.engine.weights import export

Weights = dict[str, Tensor]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_hf_model(tmp_path / "model", "qwen3-tied")


def _import(model: Path) -> None:
    one_rank.main(layout_spec(), model, model.parent / "export")


def _rewrite(model: Path, change: Callable[[Weights], object]) -> None:
    weights = load_file(model / "model.safetensors")
    change(weights)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def test_a_truncated_file_is_refused(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelInvalid, match=r"model\.safetensors is damaged or incomplete"):
        _import(model)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64])
def test_a_file_of_something_else_is_refused(content: bytes, model: Path) -> None:
    (model / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelInvalid, match="damaged or incomplete"):
        _import(model)


def test_a_missing_tensor_is_named(model: Path) -> None:
    _rewrite(model, lambda weights: weights.pop("model.layers.1.self_attn.k_norm.weight"))
    with pytest.raises(ModelInvalid, match=r"lacks model\.layers\.1\.self_attn\.k_norm\.weight"):
        _import(model)


def test_a_tensor_without_a_place_is_named(model: Path) -> None:
    _rewrite(model, lambda weights: weights.update({"model.layers.0.adapter.weight": torch.zeros(2)}))
    with pytest.raises(ModelInvalid, match=r"holds model\.layers\.0\.adapter\.weight"):
        _import(model)


def test_a_wrong_shape_is_named(model: Path) -> None:
    _rewrite(model, lambda weights: weights.update({"model.norm.weight": torch.zeros(7)}))
    with pytest.raises(ModelInvalid, match=r"model\.norm\.weight has shape \[7\]"):
        _import(model)


def test_quantised_weights_are_refused(model: Path) -> None:
    _rewrite(
        model,
        lambda weights: weights.update({"model.norm.weight": weights["model.norm.weight"].to(torch.float8_e4m3fn)}),
    )
    with pytest.raises(ModelInvalid, match=r"model\.norm\.weight is stored as F8_E4M3"):
        _import(model)


def test_pickle_is_never_opened(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(ModelInvalid, match=r"pytorch_model\.bin: pickle files are never loaded"):
        _import(model)


def test_a_folder_without_weights_is_refused(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelInvalid, match=r"neither model\.safetensors nor"):
        _import(model)


def test_an_index_that_leaves_the_folder_is_refused(model: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "../elsewhere.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(PathRefused, match=r"\.\./elsewhere\.safetensors"):
        _import(model)


def test_an_indexed_file_that_is_missing_is_named(model: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelInvalid, match=r"model-00001-of-00002\.safetensors is missing"):
        _import(model)


def test_a_tied_head_that_differs_from_the_embedding_is_refused(model: Path) -> None:
    _rewrite(
        model,
        lambda weights: weights.update({"lm_head.weight": torch.zeros_like(weights["model.embed_tokens.weight"])}),
    )
    with pytest.raises(ModelInvalid, match="ties lm_head"):
        _import(model)


def test_buffers_of_old_checkpoints_are_passed_over(model: Path) -> None:
    _rewrite(model, lambda weights: weights.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8)}))
    _import(model)


def test_a_model_in_several_files_makes_the_round_trip(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_FILE_BYTES", 50_000)
    _import(model)
    first = model.parent / "export"
    assert len(list(first.glob("model-*-of-*.safetensors"))) > 1
    one_rank.main(layout_spec(), first, model.parent / "again")
    again = {
        name: weight
        for file in (model.parent / "again").glob("*.safetensors")
        for name, weight in load_file(file).items()
    }
    assert all(torch.equal(again[name], weight) for name, weight in load_file(model / "model.safetensors").items())


def test_an_export_never_replaces_a_folder(model: Path) -> None:
    (model.parent / "export").mkdir()
    with pytest.raises(Conflict, match="export exists"):
        _import(model)


def test_a_full_disk_leaves_no_export(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save_file_on_a_full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "save_file", save_file_on_a_full_disk)
    with pytest.raises(DiskFull, match="No space left"):
        _import(model)
    assert not (model.parent / "export").exists()
