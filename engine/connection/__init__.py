"""How a host is connected to: whose key is trusted, how one logs in, and how answers are read."""
