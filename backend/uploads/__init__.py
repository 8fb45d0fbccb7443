"""Uploads: files on their way to the server, over tus 1.0, so that a broken connection loses nothing."""
