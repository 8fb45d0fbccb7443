"""Measurements of the way from a file to microbatches, each beside the tool that people use today.

Prints one JSON object a row: what, ours, peer, ratio.

    python -m bench.data.conversion [--rows N]
    python -m bench.data.memory [--gigabytes N]
    python -m bench.data.tokens --model FOLDER [--rows N]
    python -m bench.data.packing [--samples N]
"""
