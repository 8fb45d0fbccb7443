"""What a data set looks like before anything is trained: its rows, their tokens, their lengths, how they pack."""
