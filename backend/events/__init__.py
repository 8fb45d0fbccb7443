"""The history of one job, event by event."""
