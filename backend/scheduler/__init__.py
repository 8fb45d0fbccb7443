"""Decides where and when each attempt of a job runs. The database is the truth; messages only wake workers."""
