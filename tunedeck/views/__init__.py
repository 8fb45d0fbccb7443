"""What REST sends out (JobView and its siblings), and what it takes in where that is no job. The service builds them,
the client and the pages read them.

Times are unix seconds; sizes are bytes; a number that is not known yet is None.
"""
