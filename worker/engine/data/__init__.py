"""From a data set to packed microbatches: tokens and loss masks, the order of the epochs, packing, prefetching."""

from worker.engine.data.batches import Batch, BatchStream, Packer
from worker.engine.data.chat_tokenizer import ChatTokenizer
from worker.engine.data.loss_mask import LossMask, loss_mask, writes_like_the_template
from worker.engine.data.microbatch import Microbatch
from worker.engine.data.order import EpochOrder, Split, split
from worker.engine.data.packing import Layout
from worker.engine.data.samples import Samples, tokenize

__all__ = [
    "Batch",
    "BatchStream",
    "ChatTokenizer",
    "EpochOrder",
    "Layout",
    "LossMask",
    "Microbatch",
    "Packer",
    "Samples",
    "Split",
    "loss_mask",
    "split",
    "tokenize",
    "writes_like_the_template",
]
