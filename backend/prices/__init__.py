"""What an hour of a GPU costs, as it is set on the settings page."""
