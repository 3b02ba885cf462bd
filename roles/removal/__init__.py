"""Removal: everything of ours goes from a host, and what may be the operator's stays unless purged."""
