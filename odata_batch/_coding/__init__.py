"""The engine of reading and writing: settings, calls, incremental classes."""
