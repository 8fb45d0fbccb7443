"""The tokenised data sets that this host keeps."""
