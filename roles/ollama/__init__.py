"""The Ollama server: the pinned release, unpacked aside, with the tier's resolved values."""
