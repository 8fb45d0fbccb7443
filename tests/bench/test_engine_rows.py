"""How rows are counted: rates, ratios, idle time, and that the Hugging Face peer is grouped as well as can be."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from bench.engine.hugging_face import grouped
from bench.engine.jobs import PRECISIONS
from bench.engine.levers import LEVERS
from bench.engine.row import Machine, Measured, Step, row_of
from bench.engine.shapes import SHAPES, write_shape
from bench.engine.trace import trace_shares
from tunedeck.architecture import Architecture, read_architecture
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.flops import Work, training_flops
from tunedeck.spec import JobSpec


@pytest.fixture
def demo() -> Architecture:
    return read_architecture(BASE_FOLDER)


def test_a_rate_counts_useful_tokens_over_the_time_of_all_steps(demo: Architecture) -> None:
    work = [Work(1000, 50_000, 600), Work(3000, 90_000, 1500)]
    measured = Measured([Step(1.0, work[0], 100), Step(3.0, work[1], 300)], 3 * 2**30, "2xcuda DP2 TP1 tokens16384")
    machine = Machine("NVIDIA H100 80GB HBM3", 2, 700e12)
    row = row_of(measured, machine, demo, what="ours", model="demo", precision="bf16")
    flops = (training_flops(demo, work[0]) + training_flops(demo, work[1])) / 4.0 / 2
    assert row.tok_per_s_per_gpu == 500.0
    assert row.tflops_per_gpu == pytest.approx(flops / 1e12)
    assert row.mfu == pytest.approx(flops / 989.5e12)
    assert row.of_matrix_rate == pytest.approx(flops / 700e12)
    assert (row.padding_share, row.peak_gib, row.median_step_s) == (400 / 4400, 3.0, 2.0)
    twice = Measured([Step(0.5, work[0], 0)], 0, "")
    faster = row_of(twice, machine, demo, what="ours", model="demo", precision="fp8-blockwise", peer=row)
    assert (faster.ratio, faster.peer) == (2.0, "ours bf16")
    assert json.loads(faster.line())["ratio"] == 2.0


def test_idle_time_is_what_no_kernel_covers_and_communication_is_exposed_where_nothing_computes(tmp_path: Path) -> None:
    spans = [
        ("gemm", 0.0, 4.0),
        ("norm", 1.0, 2.0),
        ("gemm", 5.0, 7.0),
        ("ncclDevKernel_AllGather", 6.0, 8.0),
        ("copy", 9.0, 10.0),
    ]
    on_device = [{"cat": "kernel", "name": name, "ts": start, "dur": stop - start} for name, start, stop in spans]
    on_host = [{"cat": "cpu_op", "name": "aten::mm", "ts": -5.0, "dur": 30.0}, {"name": "no category"}]
    trace = tmp_path / "trace.json"
    trace.write_text(json.dumps({"traceEvents": on_host + on_device}))
    # Of ten seconds 4 to 5 and 8 to 9 are idle, and from 7 to 8 nothing but the exchange runs.
    assert trace_shares(trace) == pytest.approx({"idle_share": 0.2, "exposed_communication_share": 0.1})
    trace.write_text(json.dumps({"traceEvents": on_host}))
    assert trace_shares(trace) == {}


def test_the_peer_pads_as_little_as_any_grouping_could() -> None:
    lengths, most, busy = [3, 5, 6, 9, 14, 15, 40], 45, 20
    sizes = grouped(lengths, most, busy)

    def cost(cuts: tuple[int, ...]) -> float:
        total = 0.0
        for start, end in itertools.pairwise((0, *cuts, len(lengths))):
            tokens = (end - start) * lengths[end - 1]
            total += max(tokens, busy) if tokens <= most or end - start == 1 else float("inf")
        return total

    every = (cuts for number in range(len(lengths)) for cuts in itertools.combinations(range(1, len(lengths)), number))
    assert sum(sizes) == len(lengths)
    assert cost(tuple(itertools.accumulate(sizes[:-1]))) == min(map(cost, every))


def test_every_shape_can_be_read_and_every_lever_is_a_spec(tmp_path: Path) -> None:
    parameters = {}
    for shape in SHAPES:
        model = read_architecture(write_shape(shape, tmp_path, tmp_path / shape))
        per_layer = model.hidden_size * (
            2 * model.kv_channels * (model.num_attention_heads + model.num_query_groups) + 3 * model.ffn_hidden_size
        )
        embeddings = model.vocab_size * model.hidden_size * (1 if model.tied_embeddings else 2)
        parameters[shape] = model.num_layers * per_layer + embeddings
    billions = [round(parameters[f"qwen3-{size}"] / 1e9, 1) for size in ("0.6b", "1.7b", "4b", "8b")]
    assert billions == [0.6, 1.7, 4.0, 8.2]
    for fields in [lever.spec for lever in LEVERS.values()] + [{"precision": each} for each in PRECISIONS.values()]:
        JobSpec.model_validate({"name": "bench", "model": "m", "dataset": "d", **fields})
