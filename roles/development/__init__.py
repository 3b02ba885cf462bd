"""Backend and UI from a developer's tree on the host, with `uvicorn --reload` and `next dev`."""
