"""How each concern of a host becomes what its plan says, and is proven."""
