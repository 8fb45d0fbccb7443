"""Long work: what takes longer than a request may, with progress, cancellable, found again after leaving the page."""
