"""What previews answer."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tunedeck.component import Component
from tunedeck.conversations.report import LengthStatistics
from tunedeck.packing import PackingForecast
from tunedeck.tokens import TokenView


class RowView(Component):
    """A row as a conversation; `is_trained` is false where the policy leaves it out."""

    row: int
    is_trained: bool
    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]


class RowsView(Component):
    rows: tuple[RowView, ...]
    has_more: bool


class SampleView(Component):
    """The tokens of one row. `equals_template`: the template would write the whole conversation in the same tokens."""

    row: int
    sample: TokenView
    equals_template: bool


class DataForecast(Component):
    """Lengths in tokens of all samples under the model and mask of a spec, and how they pack. `prompt` counts the
    tokens that are not trained. Samples beyond `capacity` get a microbatch of their own."""

    num_rows: int
    num_samples: int = Field(description="rows with something to learn under the mask")
    prompt: LengthStatistics
    trained: LengthStatistics
    total: LengthStatistics
    capacity: int = Field(description="tokens of a microbatch, over all context-parallel ranks")
    max_position_embeddings: int
    packing: PackingForecast
