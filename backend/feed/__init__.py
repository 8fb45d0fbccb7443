"""Server-sent events: the `events` table as a live stream that can be taken up again after any interruption."""
