"""What a batch is: values, limits, dialects, rules and findings."""
