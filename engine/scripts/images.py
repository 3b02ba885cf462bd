"""Runs on the host: container images of ours, each under a marker that names it and its engine."""

import contextlib
import json
import subprocess

FOLDER = "/opt/venom/images"


def marked(path):
    """What a marker says; None where it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def identity(engine, image):
    """The image's id, by its engine; empty where that does not have it."""
    try:
        answer = subprocess.run(
            [engine, "image", "inspect", "--format", "{{.Id}}", image],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return answer.stdout.strip().rpartition(":")[2]


def there(path):
    """Whether the image that a marker names is there, and still that one."""
    it = marked(path)
    return bool(it) and identity(it["engine"], it["image"]) == it["id"]


def drop(path):
    """Remove the image that a marker names, and what of ours may have been left running from it."""
    it = marked(path)
    if it:
        # Where the engine is gone, its images are nobody's business here.
        with contextlib.suppress(OSError):
            subprocess.run(
                [it["engine"], "image", "rm", "--force", it["image"]],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
