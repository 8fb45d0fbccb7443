"""A run, or several beside each other, as one HTML file that needs nobody: no service, no network, no login."""
