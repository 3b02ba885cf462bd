"""Metrics: what a host reports of itself, for a Prometheus that its owner has."""
