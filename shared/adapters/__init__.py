"""The ports on real technology, one a file."""
