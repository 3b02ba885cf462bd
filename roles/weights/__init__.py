"""The Gemma 3 weights: pulled by Ollama, compared with the pin, warmed up before the backend starts."""
