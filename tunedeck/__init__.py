"""The shared language of Tunedeck's rooms, its REST client and its command line."""

__version__ = "0.1.0"
