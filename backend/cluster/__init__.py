"""What the service runs on: hosts, and whether everything is well."""
