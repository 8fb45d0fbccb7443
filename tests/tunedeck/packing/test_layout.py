"""What a spec demands of the packer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.resolved import resolved_json
from tunedeck.packing import Layout, layout_of
from tunedeck.resolved import ResolvedSpec


def spec(num_devices: int = 1, data_parallel_size: int = 1, **changes: dict[str, Any]) -> ResolvedSpec:
    fields = resolved_json()
    changes["hardware"] = {"num_devices": num_devices, "data_parallel_size": data_parallel_size}
    for section, values in changes.items():
        fields[section] |= values
    return ResolvedSpec.model_validate(fields)


@pytest.mark.parametrize(
    ("changes", "multiple", "sequence_multiple"),
    [
        ({}, 1, 1),
        ({"parallelism": {"tensor_model_parallel_size": 2, "sequence_parallel": True}}, 2, 1),
        ({"parallelism": {"context_parallel_size": 2}}, 4, 4),
        ({"precision": {"fp8_format": "e4m3"}}, 128, 1),
        ({"parallelism": {"tensor_model_parallel_size": 4}, "precision": {"fp8_format": "e4m3"}}, 512, 1),
        ({"parallelism": {"context_parallel_size": 4}, "precision": {"fp8_format": "hybrid"}}, 512, 8),
    ],
)
def test_lengths_are_what_kernels_and_the_splits_over_ranks_accept(
    changes: dict[str, Any], multiple: int, sequence_multiple: int
) -> None:
    layout = layout_of(spec(**changes))
    assert (layout.multiple, layout.sequence_multiple) == (multiple, sequence_multiple)


def test_a_microbatch_has_the_room_of_all_context_parallel_ranks() -> None:
    layout = layout_of(spec(4, 2, batching={"max_tokens_per_gpu": 9216}, parallelism={"context_parallel_size": 2}))
    assert (layout.max_tokens, layout.data_parallel_size) == (18432, 2)


def test_an_interleaved_pipeline_gets_microbatches_in_multiples_of_its_stages() -> None:
    stages = {"pipeline_model_parallel_size": 4}
    assert layout_of(spec(parallelism=stages)).microbatch_multiple == 1
    assert layout_of(spec(parallelism={**stages, "virtual_pipeline_model_parallel_size": 2})).microbatch_multiple == 4


def test_static_microbatches_count_samples() -> None:
    static = {"use_dynamic_batch_size": False, "micro_batch_size": 3, "balance_data": False}
    assert layout_of(spec(batching=static)) == Layout(
        layout_of(spec()).max_tokens, 1, 1, micro_batch_size=3, balance_data=False
    )
    assert layout_of(spec(batching={"micro_batch_size": 3})).micro_batch_size == 0
