"""Which samples are trained together: the order of the epochs, and microbatches on data-parallel ranks.

The engine packs with it, and the data page simulates it: both call the same functions. It knows lengths only, never
tokens, and needs nothing beyond the standard library.
"""

from tunedeck.packing.karmarkar_karp import Bin
from tunedeck.packing.layout import Layout, layout_of
from tunedeck.packing.order import EpochOrder, Split, split
from tunedeck.packing.plan import Plan, pack, padded_lengths, padded_tokens
from tunedeck.packing.simulation import PackingForecast, simulate

__all__ = [
    "Bin",
    "EpochOrder",
    "Layout",
    "PackingForecast",
    "Plan",
    "Split",
    "layout_of",
    "pack",
    "padded_lengths",
    "padded_tokens",
    "simulate",
    "split",
]
