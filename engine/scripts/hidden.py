"""Runs on the host, in front of what quotes a journal: a service that dies may have printed its settings."""

import os
import re

SETTINGS = ("/var/lib/venom/venom.env", "/var/lib/venom-development/venom.env")
SECRET = re.compile(r"([A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]*)=(.*)")
# A message may hold the beginning or the end of a value; what is shorter is found in many words.
SHORTEST = 8


def secrets():
    """Value → its name, of all that the settings files hold, whoever wrote them."""
    found = {}
    for path in SETTINGS:
        try:
            # The folder is a service's: what lies there need not be a file.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, encoding="utf-8", errors="replace") as file:
                matches = [SECRET.fullmatch(line.strip()) for line in file]
        except OSError:
            continue
        for match in matches:
            if match and match[2]:
                inner = match[2][1:-1] if match[2][0] in "'\"" else match[2]
                plain = re.sub(r"\\(.)", r"\1", inner)
                found.update({it: match[1] for it in (inner, plain) if len(it) > 3})
    return found


def hidden(text):
    """The text with secrets, and their beginnings and ends, replaced by their names."""
    for value, name in sorted(secrets().items(), key=lambda it: -len(it[0])):
        word = "(secret %s)" % name
        text = text.replace(value, word)
        for length in range(len(value) - 1, SHORTEST - 1, -1):
            text = text.replace(value[:length], word).replace(value[-length:], word)
    return text
