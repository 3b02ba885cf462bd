"""The door: nginx in front of backend and UI, the only way in."""
