"""ONNX: models that the backend computes in its own process, with packages of its own environment."""
