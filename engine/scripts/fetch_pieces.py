"""Runs on the host, in front of a job's own download: gets a large content in pieces from hosts of the fleet.

Each piece is verified by the store's list, and appended. From then on others may have it from here, while
this host still fetches. Whatever goes wrong costs time only: what is lacking, the job fetches as ever.
Arguments: the folder of what is passed on, the content's sha256, the path where the job wants it whole, and
URLs: hosts, the nearest first, and the store.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import signal
import sys
import time
import urllib.parse

# Seconds: until a place is left that sends nothing, one that takes longer for a piece, and one that has
# nothing new; between two questions for a piece that a place does not have yet.
SILENT, SLOW, PATIENCE, POLL = 5, 10, 20, 0.1
# So many pieces are asked for at once, and so few of a place that is tried. Whoever has them all is ahead.
BATCH, TRIAL = 16, 2
# A place is left for one that is so many times as fast. Two that share a link are no reason.
FASTER = 3


class DiskError(Exception):
    """No room, or no disk: no place is to blame."""


class Content:
    """A content, as far as it is here; the list of its pieces has its size, theirs, and their digests."""

    def __init__(self, folder, digest, listed):
        size, piece, *self.sums = listed.split()
        self.size, self.piece, self.digest = int(size), int(piece), digest
        self.path = os.path.join(folder, digest)
        if len(self.sums) != -(-self.size // self.piece):
            raise ValueError("the store's list of pieces is not whole")
        self.have, self.sum = 0, hashlib.sha256()
        with open(self.path, "ab+") as file:
            file.seek(0)
            while not self.whole and self._is_next(piece := file.read(self.next)):
                self._count(piece)
            file.truncate(self.bytes)
        os.chmod(self.path, 0o644)

    @property
    def whole(self):
        return self.have == len(self.sums)

    @property
    def bytes(self):
        """How many are here."""
        return min(self.have * self.piece, self.size)

    @property
    def next(self):
        """Bytes of the next piece."""
        return min(self.piece, self.size - self.bytes)

    def append(self, piece):
        """Keep the next piece. Raises ValueError if this is another, and DiskError."""
        if not self._is_next(piece):
            raise ValueError("has other content")
        try:
            with open(self.path, "ab") as file:
                file.write(piece)
        except OSError as error:
            raise DiskError(error) from error
        self._count(piece)

    def _is_next(self, piece):
        return hashlib.sha256(piece).hexdigest() == self.sums[self.have]

    def _count(self, piece):
        self.sum.update(piece)
        self.have += 1


class Place:
    """A host, or the store: asked over one connection that lasts, whatever proxy the job is given."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.url, self.path, self.rate = url, parts.path, 0.0  # pieces a second; 0: not known
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SILENT)

    def get(self, path, **headers):
        with in_time():
            self.connection.request("GET", self.path + path, headers=headers)
            return self.connection.getresponse()

    def give(self, content, most):
        """Append what it has of so many next pieces. Raises OSError, ValueError, HTTPException, DiskError."""
        first = content.bytes
        asked = "bytes=%d-%d" % (first, first + most * content.piece - 1)
        answer = self.get("/sha256/" + content.digest, Range=asked)
        if answer.status in (404, 416):
            with in_time():
                answer.read()
            return
        if not answer.headers.get("Content-Range", "").startswith("bytes %d-" % first):
            raise OSError("answers with status %d" % answer.status)
        while not content.whole:
            with in_time():
                piece = answer.read(content.next)
            if len(piece) < content.next:
                break  # There is no more of it yet: what is just being written comes in part.
            content.append(piece)
        if answer.length:
            raise OSError("breaks off")


@contextlib.contextmanager
def in_time():
    """Raises TimeoutError, an OSError, in what takes too long."""
    signal.alarm(SLOW)
    try:
        yield
    finally:
        signal.alarm(0)


def late(*_):
    raise TimeoutError("takes more than %d s for a piece" % SLOW)


def fetch(content, places, came):
    """Get what is lacking, from the nearest place that is not slow. Raises DiskError."""
    place, since = places[0], time.monotonic()
    while places and not content.whole:
        most = BATCH if place.rate or place is places[0] else TRIAL
        begun, had, why = time.monotonic(), content.have, ""
        try:
            place.give(content, most)
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = error
        now, got = time.monotonic(), content.have - had
        if got:
            since = now
            came(content)
        elif now - since > PATIENCE or len(places) == 1:
            why = why or "has nothing new"
        if why:
            print("%s: %s" % (place.url, why), flush=True)
            places.remove(place)
        elif got == most or most == TRIAL:
            place.rate = (got or 1e-9) / (now - begun)
        else:
            if not got:
                time.sleep(POLL)
            continue
        before, place = place, chosen(places)
        if place is not before:
            before.connection.close()


def chosen(places):
    """Who is asked: a place that was not tried yet, else the nearest that is not slow beside the fastest."""
    best = max((it.rate for it in places), default=0)
    untried = [it for it in places if not it.rate]
    return next(iter(untried or [it for it in places if it.rate * FASTER >= best]), None)


def put(path, into):
    """Let the job have it under its own path: the same bytes, where that is on the same disk."""
    folder = os.path.dirname(into)
    if not os.path.isdir(folder):
        above = os.stat(os.path.dirname(folder))
        os.mkdir(folder, above.st_mode & 0o777)
        os.chown(folder, above.st_uid, above.st_gid)
    owner = os.stat(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(into)
    try:
        os.link(path, into)
    except OSError:
        _copy(path, into)
    os.chown(into, owner.st_uid, owner.st_gid)
    os.utime(into)


def _copy(path, into):
    aside = into + ".aside"
    try:
        shutil.copyfile(path, aside)
        os.rename(aside, into)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)


def main():
    folder, digest, into, *urls = sys.argv[1:]
    # The job goes on from what it has.
    if os.path.exists(into):
        return
    signal.signal(signal.SIGALRM, late)
    places = [Place(it) for it in urls]
    listed = places[-1].get("/pieces/" + digest)
    if listed.status != 200:
        raise OSError("the store has no list of its pieces")
    content = Content(folder, digest, listed.read().decode())
    places[-1].connection.close()

    def came(content):
        with open(os.path.join(os.environ["JOB"], "progress"), "w", encoding="utf-8") as file:
            file.write("bytes %d %d\n" % (content.size, content.bytes))

    try:
        fetch(content, places, came)
        if content.whole:
            if content.sum.hexdigest() != digest:
                raise OSError("the store's list of pieces is of other content")
            put(content.path, into)
    except (OSError, DiskError):
        # On a full disk the job needs the room itself.
        os.unlink(content.path)
        raise


try:
    main()
except (OSError, ValueError, DiskError, http.client.HTTPException) as error:
    print("not passed on: %s" % error, flush=True)
