"""The stored lines of a job's engine.log."""
