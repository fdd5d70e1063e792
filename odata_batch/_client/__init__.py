"""What a client does with a batch: outcomes, plans, conversion."""
