"""The lab's demonstration: one fresh host, provisioned by the main job."""


def run() -> int:
    """Placeholder until the main job exists."""
    return 0
