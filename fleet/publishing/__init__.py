"""Publishing: for each host that pulls, its plan at the fleet's store, signed, with all that a run needs."""
