"""The locks of the pinned releases, and the command that makes them: `python -m locks`."""
