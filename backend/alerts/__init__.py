"""Alerts: what a rule says of a job is told to webhooks and by e-mail, exactly as often as it happened."""
