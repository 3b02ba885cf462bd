"""Runs on the host: its files, and what its services answer, for the scripts that only look."""

import json
import urllib.request

# What is asked is on this very host, whatever proxy its environment names.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATIENCE = 10  # seconds for an answer


def read(path):
    """The file's text; empty where it is not there or not to be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def read_json(path):
    """The file's document; an empty one where it has none."""
    try:
        return json.loads(read(path))
    except ValueError:
        return {}


def get(url):
    """The document at the URL. Raises OSError, or ValueError where it is none."""
    with DIRECT.open(url, timeout=PATIENCE) as answer:
        return json.loads(answer.read())
