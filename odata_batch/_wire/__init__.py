"""Octets to values and back: a module for each layer, both directions in it."""
