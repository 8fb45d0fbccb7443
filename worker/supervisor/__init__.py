"""The process between the worker and the training processes of one attempt; it knows no queue and no bus."""
