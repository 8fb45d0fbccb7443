"""The trackers that the dashboard is measured beside. What runs in their environment imports nothing of ours."""
