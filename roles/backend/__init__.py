"""The FastAPI backend: its packages from a lock, proven by importing it, its settings, its unit."""
