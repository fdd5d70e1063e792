"""What the standards ask of values."""
