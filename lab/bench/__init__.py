"""How long a run takes when there is nothing to do, and what the same costs with other tools."""
