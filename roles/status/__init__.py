"""How a host stands: what serves there, and what differs from what was applied and from the plan."""
