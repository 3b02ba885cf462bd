"""Pull: a host fetches its own signed plan from the store, applies it, and reports that there."""
