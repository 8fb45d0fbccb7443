"""The training itself: Megatron's DDP, optimizer, schedule and checkpoints, and the loop around them."""
