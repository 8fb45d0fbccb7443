"""What the queue can take: `python -m bench.queue`, one JSON object a row.

Backend, scheduler, ingest, bus and database are the real ones; engines are not: what they would say is said for them.
"""
