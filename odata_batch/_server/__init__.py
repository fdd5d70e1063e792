"""What a service does with a batch: execution."""
