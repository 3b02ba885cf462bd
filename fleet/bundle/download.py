"""Downloads to the controller: from the first place that answers, gone on with where cut off, verified.

A file has its name only once its digest is right (CONTRIBUTING.md, C2).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from fleet.bundle.fault import BundleError
from fleet.bundle.pack import Progress, silent
from fleet.bundle.pack import digest as file_digest

SECONDS = 60  # until a place that says nothing counts as dead
TRIES = 3  # of one place, as long as bytes come
_BUSY = (429, 502, 503, 504)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_CHUNK = 1 << 16  # of one that is cut off, so many bytes are lost at most
_DIGESTS = {"sha256": 32, "sha384": 48, "sha512": 64}  # bytes


class Session:
    """One session for all downloads of a run: connections are kept, and tokens of registries."""

    def __init__(self, tokens: Mapping[str, str] = MappingProxyType({})) -> None:
        """`tokens`: what a hub wants to see for a gated model, by its URL."""
        self._hubs = tokens
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "venom-provisioner"
        # A place that is busy for a moment, or says nothing, is asked again.
        again = HTTPAdapter(
            max_retries=Retry(2, backoff_factor=0.5, status_forcelist=_BUSY, raise_on_status=False)
        )
        self._session.mount("http://", again)
        self._session.mount("https://", again)
        self._tokens: dict[str, str] = {}

    def get(self, url: str, headers: Mapping[str, str], *, stream: bool = False) -> requests.Response:
        """What the place answers; a registry that wants a token for everybody gets it."""
        sent = {"Accept-Encoding": "identity", **headers}
        place = urlsplit(url).netloc
        if place in self._tokens:
            sent["Authorization"] = f"Bearer {self._tokens[place]}"
        for hub, token in self._hubs.items():
            # It sends elsewhere for large files; requests shows the token to no other host.
            if url.startswith(f"{hub}/"):
                sent["Authorization"] = f"Bearer {token}"
        answer = self._session.get(url, headers=sent, stream=stream, timeout=SECONDS)
        header = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == 401 and header.startswith("Bearer "):
            answer.close()
            self._tokens[place] = self._token(header)
            sent["Authorization"] = f"Bearer {self._tokens[place]}"
            answer = self._session.get(url, headers=sent, stream=stream, timeout=SECONDS)
        return answer

    def _token(self, header: str) -> str:
        """The token that anybody gets (https://distribution.github.io/distribution/spec/auth/token/)."""
        challenge = dict(_CHALLENGE.findall(header))
        wanted = {name: challenge[name] for name in ("service", "scope") if challenge.get(name)}
        answer = self._session.get(challenge.get("realm", ""), params=wanted, timeout=SECONDS)
        answer.raise_for_status()
        data = answer.json()
        return str(data.get("token") or data["access_token"])


def fetch(
    session: Session,
    name: str,
    origins: Sequence[str],
    digest: str,
    to: Path,
    accept: str = "*/*",
    progress: Progress = silent,
) -> Path:
    """The file of this digest ("sha256:HEX" or "sha512-BASE64") at `to`, downloaded if need be.

    Raises BundleError with what each origin answered where none has it.
    """
    if to.exists():
        return to
    wanted, part, faults = hexes(digest), to.with_name(f"{to.name}.part"), list[str]()
    for url in origins:
        fault = ""
        for _ in range(TRIES):
            before = part.stat().st_size if part.exists() else 0
            try:
                _get(session, url, part, {"Accept": accept}, lambda done: progress(name, done))
            except requests.RequestException as error:
                fault = _reason(error)
                if part.exists() and part.stat().st_size > before:
                    continue  # it was cut off: the rest is asked for
                break
            found = file_digest(part, wanted[0])
            if found == wanted[1]:
                part.rename(to)
                return to
            # Perhaps the first bytes were another place's: once more, from the beginning.
            part.unlink()
            fault = f"has {wanted[0]} {found[:12]}…"
            if not before:
                break
        faults.append(f"{url}: {fault}")
    raise BundleError(
        f"{name} with {digest}",
        "\n          ".join(faults) or "no place that has it is known",
        "check this machine's network, or name `mirrors` in the inventory; then run again",
    )


def hexes(digest: str) -> tuple[str, str]:
    """Algorithm and hex digits of "sha256:HEX" or "sha512-BASE64". Raises ValueError for another form."""
    if ":" in digest:
        algorithm, _, digits = digest.partition(":")
    else:
        algorithm, _, coded = digest.partition("-")
        digits = base64.b64decode(coded, validate=True).hex()
    if len(bytes.fromhex(digits)) != _DIGESTS.get(algorithm):
        raise ValueError(f"{digest!r} is no digest")
    return algorithm, digits


def _get(
    session: Session, url: str, part: Path, headers: Mapping[str, str], progress: Callable[[int], None]
) -> None:
    """Bring the rest of what lies at the URL into `part`. Raises requests.RequestException."""
    have = part.stat().st_size if part.exists() else 0
    sent = {**headers, **({"Range": f"bytes={have}-"} if have else {})}
    with session.get(url, sent, stream=True) as answer:
        if have and answer.status_code == 416:  # there is no rest: the digest says whether it is right
            return
        answer.raise_for_status()
        goes_on = answer.status_code == 206
        done = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done)
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and done - (have if goes_on else 0) < int(length):
            raise requests.ConnectionError(f"cut off after {done} bytes")


def _reason(error: requests.RequestException) -> str:
    answer = error.response
    if answer is not None:
        return f"answered {answer.status_code} {answer.reason}"
    cause: BaseException = error
    while deeper := cause.__cause__ or cause.__context__:
        cause = deeper
    return getattr(cause, "strerror", None) or " ".join(str(cause).split())[:200] or type(cause).__name__
