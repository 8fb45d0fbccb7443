"""Models: Hugging Face folders that training can start from, registered by hand or exported by a job."""
