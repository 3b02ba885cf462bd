"""Switching a host to a generation: done by the host itself, and taken back if it does not serve."""
