"""The room between the queue and the trainer: Celery app, supervisor of one process tree, forwarder of its files."""
