"""Runs on the host that serves the store, imported by its job: which file of a package a host installs.

An index has dozens of files of a version. The one that uv takes is that with the most specific tags that the
interpreter and the platform have (PEP 425, 600); where there is none, the source distribution.
"""

import html.parser
import json
import re
import urllib.parse

# glibc 2.N: no supported system has an older one than this.
GLIBC = 35
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_OLD = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}


class Page(html.parser.HTMLParser):
    """The files that a page of an index names (PEP 503): name, URL, digest."""

    def __init__(self, url):
        super().__init__()
        self.url, self.files = url, []

    def handle_starttag(self, tag, attrs):
        href = dict(attrs).get("href") if tag == "a" else None
        if href:
            url, _, fragment = urllib.parse.urljoin(self.url, href).partition("#")
            digest = fragment.replace("=", ":", 1) if fragment.startswith("sha256=") else ""
            name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
            self.files.append((name, url, digest))


def files_of(url, text):
    """The files of a page, be it HTML or JSON (PEP 691): (name, URL, "sha256:HEX" or nothing)."""
    if text.lstrip().startswith("{"):
        found = []
        for it in json.loads(text)["files"]:
            digest = it.get("hashes", {}).get("sha256", "")
            found.append(
                (it["filename"], urllib.parse.urljoin(url, it["url"]), digest and "sha256:" + digest)
            )
        return found
    page = Page(url)
    page.feed(text)
    return page.files


def best(names, fits):
    """Of these files the one that is installed, for (Python's minor version, architecture); None: none is."""
    ranked = [(it, name) for name in names if (it := rank(name, *fits)) is not None]
    return min(ranked)[1] if ranked else None


def rank(name, python, arch):
    """How well a file suits: less is better; None where it does not."""
    if name.endswith((".tar.gz", ".zip")):
        return (9999, 0)
    if not name.endswith(".whl"):
        return None
    pythons, abis, platforms = (it.split(".") for it in name[: -len(".whl")].split("-")[-3:])
    ranks = [
        (interpreter + (1000 if platform == "any" else 0), age)
        for interpreter in (
            _interpreter(it, abi, int(python.split(".")[1])) for it in pythons for abi in abis
        )
        for platform in platforms
        if interpreter is not None and (age := _platform(platform, _MACHINES[arch])) is not None
    ]
    return min(ranks, default=None)


def _interpreter(tag, abi, minor):
    if tag.startswith("cp3") and tag[3:].isdigit():
        older = minor - int(tag[3:])
        if older == 0 and abi in ("cp3%d" % minor, "abi3", "none"):
            return ("cp3%d" % minor, "abi3", "none").index(abi)
        return 2 + older if older > 0 and abi == "abi3" else None
    if abi != "none" or not re.fullmatch(r"py3\d*", tag):
        return None
    if tag == "py3":
        return 101
    older = minor - int(tag[3:])
    return None if older < 0 else 100 if older == 0 else 101 + older


def _platform(tag, machine):
    if tag == "any":
        return 0
    name, _, rest = tag.partition("_")
    if not tag.endswith("_" + machine):
        return None
    if name == "manylinux" and (match := re.match(r"2_(\d+)_", rest)):
        newest = int(match[1])
    elif name in _OLD:
        newest = _OLD[name]
    else:
        return 99 if name == "linux" else None
    return GLIBC - newest if newest <= GLIBC else None
