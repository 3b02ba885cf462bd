"""Speech: to text by faster-whisper and from text by piper, in the backend's own process."""
