"""What refers to what: URLs, identifiers, dependencies."""
