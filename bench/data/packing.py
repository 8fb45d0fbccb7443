"""From cached tokens to packed microbatches: what one rank can prepare beside what eight GPUs can eat.

The rank packs for all and builds its own microbatches, with data parallel 1 all of them. The peer is the need of the
engine at 50,000 tokens a second on each of eight GPUs.

    python -m bench.data.packing [--samples 200000] [--batches 200]
"""

from __future__ import annotations

import argparse
import json
import random
import time

import numpy as np

from tunedeck.packing import EpochOrder, Layout
from worker.engine.data import Packer, Samples

NEED_TOK_PER_S = 50_000 * 8
GOAL = 10.0
BATCH_SIZE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--batches", type=int, default=200)
    asked = parser.parse_args()
    samples = made(asked.samples)
    for max_tokens in (9_216, 32_768):
        for data_parallel_size in (1, 8):
            rate = tokens_per_s(samples, Layout(max_tokens, 128, data_parallel_size), asked.batches)
            row = {"max_tokens_per_gpu": max_tokens, "data_parallel_size": data_parallel_size, "tok_per_s": round(rate)}
            ratio = round(rate / NEED_TOK_PER_S, 2)
            print(
                json.dumps({"what": "packing", **row, "peer_tok_per_s": NEED_TOK_PER_S, "ratio": ratio, "goal": GOAL})
            )


def made(num: int) -> Samples:
    """Lengths as OpenHermes has them: log-normal, median about 250 tokens."""
    chance = random.Random(1)
    lengths = [min(int(chance.lognormvariate(5.5, 0.8)) + 16, 16_384) for _ in range(num)]
    offsets_S1 = np.cumsum([0, *lengths])
    learned_N = np.random.default_rng(1).random(offsets_S1[-1]) < 0.7
    return Samples(np.zeros(offsets_S1[-1], np.int32), learned_N, offsets_S1, np.array(lengths, np.int32))


def tokens_per_s(samples: Samples, layout: Layout, num_batches: int) -> float:
    """By the processor time of this process: other work on the machine is not its fault."""
    packer = Packer(samples, layout, 0, 0)
    order = EpochOrder(tuple(range(len(samples))), 42, shuffle=True)
    order.take(0, 1)
    start = time.process_time()
    num_tokens = sum(
        packer.batch(order.take(number * BATCH_SIZE, BATCH_SIZE)).num_tokens for number in range(num_batches)
    )
    return num_tokens / (time.process_time() - start)


if __name__ == "__main__":
    main()
