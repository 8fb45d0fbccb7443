"""Whether a run is well: one sentence for what is wrong, worked out once for pages, REST, command line and alerts."""
