"""Brings what the workers say from the bus into the database, once each, and nothing of an attempt that is over."""
