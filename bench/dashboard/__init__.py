"""What the dashboard can take, in real Chromium, beside the trackers that can be installed."""
