"""The backend of the small Venom (see ../README.md)."""
