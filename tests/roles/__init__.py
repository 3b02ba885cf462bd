"""The pure parts of the roles: what they decide without a host."""
