"""Tests of hosts that they share: one process runs them all, and makes these hosts once."""
