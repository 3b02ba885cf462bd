"""Runs on the host: until when a certificate is valid, and its fingerprint."""

import subprocess
import time


def look_at(path):
    """`until`, in seconds since 1970, and `fingerprint` as browsers show it; nothing where it is none.

    None on a host without openssl.
    """
    command = ["openssl", "x509", "-in", path, "-noout", "-enddate", "-fingerprint", "-sha256"]
    try:
        output = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        ).stdout  # fmt: skip
    except OSError:
        return None
    fields = dict(line.partition("=")[::2] for line in output.splitlines())
    if "notAfter" not in fields:
        return {}
    import calendar  # takes long, and most doors need none

    until = calendar.timegm(time.strptime(fields["notAfter"], "%b %d %H:%M:%S %Y %Z"))
    return {"until": until, "fingerprint": output.rpartition("=")[2].strip()}
