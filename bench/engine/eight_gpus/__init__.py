"""The recipe's own layout on one host of eight GPUs, beside the layouts that it might have had."""
