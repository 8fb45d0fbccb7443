"""Which samples are trained together: the order of the epochs, and microbatches on data-parallel ranks.

The engine packs with it, and the data page simulates it: both call the same functions. It knows lengths only, never
tokens, and needs nothing beyond the standard library.
"""

from tunedeck.packing.order import EpochOrder, Split, split
from tunedeck.packing.plan import Layout, pack
from tunedeck.packing.simulation import PackingForecast, PackingSpec, simulate

__all__ = ["EpochOrder", "Layout", "PackingForecast", "PackingSpec", "Split", "pack", "simulate", "split"]
