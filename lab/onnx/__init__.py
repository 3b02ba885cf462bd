"""A language model for ONNX Runtime GenAI, of a few hundred kilobytes: it says one sentence, word by word."""
