"""Runs on the host, and on the controller: whether a model that is loaded lies on the card. Pure."""

# A model is planned to lie on the card whole; of what is said of it, this share is.
WHOLE = 0.9


def lies_outside(size: float, vram: float) -> bool:
    """Whether too much of it is computed by processors, of `size` and `vram` bytes."""
    return vram < WHOLE * size
