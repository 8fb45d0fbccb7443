"""What every request passes through, whatever slice answers it: guards, headers, errors, static files."""
