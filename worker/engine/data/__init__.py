"""From a data set to packed microbatches: samples in flat arrays, batches, prefetching.

How a conversation becomes tokens is in `tunedeck.tokens`, which samples go together in `tunedeck.packing`.
"""

from worker.engine.data.batches import Batch, BatchStream, Packer
from worker.engine.data.microbatch import Microbatch
from worker.engine.data.samples import Samples

__all__ = ["Batch", "BatchStream", "Microbatch", "Packer", "Samples"]
