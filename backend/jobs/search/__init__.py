"""Which jobs somebody means by a line of text: the language (terms), what it may name (fields), and the SQL of it."""
