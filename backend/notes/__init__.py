"""What people write about a job."""
