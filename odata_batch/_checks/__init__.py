"""The rules that the standards set for values."""
