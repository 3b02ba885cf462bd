"""Runs on the host that serves the store, imported by its job: gets one content, and lets in what is right.

A content is received into `incoming/`, resumed there, and verified. Only then is it renamed to its digest.
"""

import base64
import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import faces
import tree

CHUNK = 1 << 20
SILENT_SECONDS = 30
TRIES = 3
# What a hub wants to see for a gated model, by its URL.
TOKENS = {}

_guard, _locks = threading.Lock(), {}


class NotHadError(Exception):
    """What the places of an item answered instead of it."""


def open_url(url, headers=None):
    """The answer of a place, which may want a token first, as registries of images do."""
    if not url.startswith(("http://", "https://")):
        raise NotHadError("%s is no http or https" % url)
    request = urllib.request.Request(url, headers=headers or {})
    for hub, token in TOKENS.items():
        if url.startswith(hub + "/"):
            # Only the hub itself is shown it, not the places that it sends to.
            request.add_unredirected_header("Authorization", "Bearer " + token)
    try:
        return urllib.request.urlopen(request, timeout=SILENT_SECONDS)
    except urllib.error.HTTPError as error:
        token = error.code == 401 and _token(error.headers.get("WWW-Authenticate", ""))
        if not token:
            raise
        headers = dict(headers or {}, Authorization="Bearer " + token)
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SILENT_SECONDS)


def _token(challenge):
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.startswith("Bearer ") or not fields.get("realm", "").startswith("https://"):
        return ""
    asked = {name: fields[name] for name in ("service", "scope") if name in fields}
    url = "%s?%s" % (fields["realm"], urllib.parse.urlencode(asked))
    with urllib.request.urlopen(url, timeout=SILENT_SECONDS) as answer:
        document = json.load(answer)
    return document.get("token") or document.get("access_token") or ""


def text(url, accept):
    """A page of a place: its own address, and what stands there. Raises OSError, HTTPException."""
    for left in reversed(range(TRIES)):
        try:
            with open_url(url, {"Accept": accept}) as answer:
                return answer.geturl(), answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if refused or not left:
                raise
            time.sleep(1)
    raise NotHadError(url)


def content(item, came, headers=None):
    """The digest (hex sha256) of an item's content, which is in the tree then. Raises NotHadError, OSError.

    `came` is told how many bytes come.
    """
    name = hashlib.sha256(" ".join(item["digests"]).encode()).hexdigest()[:32]
    # Two items may have one content: the second finds what the first has let in.
    with _guard:
        lock = _locks.setdefault(name, threading.Lock())
    with lock:
        return present(item) or _fetched(item, os.path.join(tree.INCOMING, name), came, headers)


def _fetched(item, part, came, headers):
    answers = []
    for url in item["origins"]:
        tries = 0
        while tries < TRIES:
            before = _size(part)
            try:
                _receive(url, part, came, headers)
            except urllib.error.HTTPError as error:
                answers.append("%s answered %d" % (url, error.code))
                # What a place lacks or refuses, it will lack in a second, too.
                tries = TRIES if error.code < 500 else tries + 1
                continue
            except (OSError, http.client.HTTPException) as error:
                # A disk without room is no matter of the place.
                if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                    raise
                answers.append("%s: %s" % (url, error))
                tries = 0 if _size(part) > before else tries + 1
                time.sleep(1)
                continue
            found = digests(part)
            if set(found) & set(item["digests"]):
                return let_in(part, found)
            os.unlink(part)
            answers.append("%s has other content: %s" % (url, found[0]))
            # What was there before may be what was wrong: once more from the start.
            tries = tries + 1 if before else TRIES
    raise NotHadError("\n".join(dict.fromkeys(answers)) or "no place is known that has it")


def present(item):
    """The digest of an item's content where the tree has it already, under whatever face; else empty."""
    for digest in item["digests"]:
        if digest.startswith("sha256:"):
            known = digest[len("sha256:") :]
            if os.path.exists(tree.path_of("sha256", known)):
                return known
        elif known := tree.content(faces.of_integrity(digest)):
            return known
    return ""


def _receive(url, part, came, headers):
    have = _size(part)
    asked = dict(headers or {}, **({"Range": "bytes=%d-" % have} if have else {}))
    try:
        answer = open_url(url, asked)
    except urllib.error.HTTPError as error:
        # There is nothing beyond what a job had that was killed before it looked at the digest.
        if error.code == 416 and have:
            return
        raise
    with answer:
        more = answer.status == 206 and answer.headers.get("Content-Range", "").startswith("bytes %d-" % have)
        length = answer.headers.get("Content-Length")
        with open(part, "ab" if more else "wb") as file:
            got = 0
            while True:
                block = answer.read(CHUNK)
                if not block:
                    break
                file.write(block)
                got += len(block)
                came(len(block))
            file.flush()
            os.fsync(file.fileno())
        if length is not None and got < int(length):
            raise OSError("the connection ended after %d of %s bytes" % (got, length))


def digests(path):
    """Of a file: "sha256:HEX", and npm's "sha512-BASE64"."""
    first, second = hashlib.sha256(), hashlib.sha512()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            first.update(block)
            second.update(block)
    return "sha256:" + first.hexdigest(), "sha512-" + base64.b64encode(second.digest()).decode()


def let_in(part, found):
    """Give what was verified its name in the tree; gives that. `found`: its digests."""
    digest = found[0][len("sha256:") :]
    os.makedirs(tree.path_of("sha256"), exist_ok=True)
    os.chmod(part, 0o644)
    os.rename(part, tree.path_of("sha256", digest))
    _keep(tree.path_of("sha256"))
    tree.link(faces.of_integrity(found[1]), digest)
    return digest


def _keep(folder):
    """A rename outlives a loss of power once its folder was written."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _size(path):
    with contextlib.suppress(OSError):
        return os.path.getsize(path)
    return 0
