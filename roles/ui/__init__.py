"""The Next.js UI: built from its lock by the pinned Node, served by its standalone server."""
