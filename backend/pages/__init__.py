"""Pages: HTML for people. Each shows what REST would answer, through the same services."""
