"""How fast the engine trains, beside its peers, on real conversation lengths and random weights.

One JSON object a row. Every row trains the same documents in the same order; a peer pads and packs as it would by
itself. Only useful tokens count, so padding lowers the rate of whoever pads. `ratio` is the row's rate over that of its
peer in the same run: two runs of one machine differ by more than most levers bring.
"""
