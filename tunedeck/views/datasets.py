"""Data sets: where one comes from, what was found in it, and what the service keeps of it."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tunedeck.component import Component
from tunedeck.conversations import DatasetReport, Reading, Shape
from tunedeck.spec import LossMaskType, Name


class HubSource(Component):
    """A data set of the Hugging Face hub. `config` and `revision` ""`: the default ones."""

    id: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$", max_length=200, description="owner/name")
    config: str = Field("", max_length=200)
    split: str = Field("train", pattern=r"^\w[\w.-]*$", max_length=80)
    revision: str = Field("", max_length=200)


class CheckDataset(Component):
    """Exactly one of `path`, `upload` and `hub` says where the rows are."""

    path: str = Field("", max_length=4096, description="a file below a configured root")
    upload: str = Field("", max_length=32, description="id of a complete upload")
    hub: HubSource | None = None
    reading: Reading = Reading()

    @model_validator(mode="after")
    def _exactly_one_source(self) -> Self:
        given = [name for name in ("path", "upload", "hub") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give one of path, upload and hub, not {' and '.join(given) or 'none of them'}")
        return self


class RegisterDataset(CheckDataset):
    """With `sha256` (hexadecimal) the file must have that content."""

    name: Name
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    new_version: bool = Field(False, description="add a version to the data set of that name")


class DatasetView(Component):
    """One version of a data set; a version is never changed."""

    id: str
    owner: str
    name: str
    version: int
    newest_version: int
    source: Literal["path", "upload", "hub"]
    origin: str = Field(description="what its user named it by: a path, a file name, an id of the hub")
    path: str
    shape: Shape
    num_rows: int
    num_trainable_rows: int
    size_bytes: int
    content_sha256: str
    sample: tuple[dict[str, Any], ...] = Field(description="the first rows as messages")
    reading: Reading
    report: DatasetReport | None = Field(description="None: it was registered before rows were checked")
    created_at: float
    trashed_at: float | None


class UploadView(Component):
    """A file on its way. `offset` is how much of it is safe on the server's disk."""

    id: str
    file_name: str
    num_bytes: int
    offset: int
    last_modified_ms: int = Field(description="as the client said, to know the file again; 0: it did not")
    created_at: float
    expires_at: float


class CachedTokensView(Component):
    """A data set that a host keeps tokenised, for one tokenizer, template and loss mask. `key` names it for removal."""

    key: str
    data_file: str
    content_sha256: str
    model: str
    loss_mask_type: LossMaskType
    num_rows: int
    num_samples: int
    num_tokens: int
    num_trained_tokens: int
    size_bytes: int
    created_at: float
    last_used_at: float
