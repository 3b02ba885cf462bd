"""Runs on the host: fetches from the store, each thing verified by its digest before it gets its name."""

import hashlib
import os
import urllib.error
import urllib.request

from fault import PullError

_SECONDS = 30
_PIECE = 1 << 20
# A plan is a few kB; what is larger is none.
_MOST_OF_A_PLAN = 1 << 20
# Never by a proxy: the store is the fleet's own.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_REMEDY = "check that the store's host is up, and the network to it; the host asks again by itself"


def plan(url):
    """What is published there. Raises PullError."""
    try:
        with _OPENER.open(url, timeout=_SECONDS) as answer:
            return answer.read(_MOST_OF_A_PLAN)
    except urllib.error.HTTPError as error:
        found, remedy = "%s: %d %s" % (url, error.code, error.reason), _REMEDY
        if error.code == 404:
            remedy = "publish one: deploy/publish.py"
        raise PullError("a plan of this host at the store", found, remedy) from None
    except OSError as error:
        raise PullError("a store that answers", "%s: %s" % (url, error), _REMEDY) from None


def content(url, sha256, size, path):
    """Put the file with this digest at the path, whole or not at all. Raises PullError."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    try:
        found = _download(url, size, part)
        if found != sha256:
            raise PullError(
                "%s with sha256 %s" % (url, sha256),
                "sha256 %s" % found,
                "it came cut off, or was changed at the store; the host asks again by itself",
            )
        os.rename(part, path)
    except OSError as error:
        raise PullError("%s, %d bytes" % (url, size), str(error), _REMEDY) from None
    finally:
        if os.path.exists(part):
            os.unlink(part)


def _download(url, size, part):
    """Write what is there, at most one byte more than it should be. Gives its digest."""
    digest, left = hashlib.sha256(), size + 1
    with _OPENER.open(url, timeout=_SECONDS) as answer, open(part, "wb") as file:
        while left > 0:
            piece = answer.read(min(_PIECE, left))
            if not piece:
                break
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def report(url, text):
    """Leave a receipt at the store. Raises PullError."""
    request = urllib.request.Request(url, data=text.encode(), method="PUT")
    try:
        _OPENER.open(request, timeout=_SECONDS).close()
    except OSError as error:
        raise PullError("a store that takes the receipt", "%s: %s" % (url, error), _REMEDY) from None
