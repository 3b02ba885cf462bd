"""The receipt: what was applied to a host, when, from what, and how long each branch took."""
