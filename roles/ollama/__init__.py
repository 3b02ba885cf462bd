"""The Ollama server: the pinned release, unpacked aside, with the VRAM tier's resolved values."""
