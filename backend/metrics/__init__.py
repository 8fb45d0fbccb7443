"""Metric series: compact in the database, whole across attempts, small enough to draw."""
