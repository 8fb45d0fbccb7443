"""Jobs: what users ask to be trained, and where each one stands."""
