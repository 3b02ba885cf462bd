"""vLLM: a model server beside Ollama, in an environment of its own, on what Ollama leaves of the card."""
