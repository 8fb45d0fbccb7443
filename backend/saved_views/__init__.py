"""Ways to look at a page that somebody gave a name, for all."""
