"""The lab's stand-in for vLLM: it speaks its protocol, computes nothing, and says so."""

__version__ = "0.11.0"
