"""What any Ollama must do that the lab serves: the same tests for the stand-in and for the genuine one."""
