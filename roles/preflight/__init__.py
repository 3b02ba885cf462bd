"""Before the first change: what the host is, and everything that is wrong with it, at once."""
