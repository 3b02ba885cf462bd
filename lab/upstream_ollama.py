"""Which Ollama the lab serves: the stand-in, a release file that somebody names, or none of its own.

The environment variable VENOM_LAB_OLLAMA chooses: empty, the path of an `ollama-linux-amd64.tar.zst`, or
`upstream`: then hosts get Ollama and weights from where the product's own pins say.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import upstream_work as work
from lab.state import LabError

VARIABLE = "VENOM_LAB_OLLAMA"
UPSTREAM = "upstream"
ASSET = "ollama-linux-amd64.tar.zst"

_RELEASES = "github.com/ollama/ollama/releases/download"
_VERSION = re.compile(r"version is (\d+\.\d+\.\d+\S*)")
_REACH_SECONDS = 10


def chosen(environment: Mapping[str, str] = os.environ) -> Path | str:
    """The file that is named, absolute; else `upstream`; else nothing: the stand-in.

    Raises LabError where there is no such file.
    """
    choice = environment.get(VARIABLE, "")
    if choice in ("", UPSTREAM):
        return choice
    path = Path(choice).expanduser().resolve()
    if not path.is_file():
        raise LabError(f"{VARIABLE}={choice}: no such file; name an {ASSET}, or write `{UPSTREAM}`")
    return path


def prepare_named(path: Path) -> dict[str, Any]:
    """The record of the release file that is named: {version, url, sha256, size, file}."""
    state = path.stat()
    key = {"file": str(path), "size": state.st_size, "changed": state.st_mtime_ns}

    def make(part: Path) -> dict[str, Any]:
        shutil.copyfile(path, part)
        version = _version(path)
        return {"version": version, "url": f"https://{_RELEASES}/v{version}/{ASSET}"}

    archive = work.ROOT / "ollama" / "named.tar.zst"
    return {**work.made("ollama-named", key, archive, make), "file": str(archive)}


def serve(records: Sequence[Mapping[str, Any]]) -> None:
    """Lay these releases out as their publisher does, with its lists of digests, and no others."""
    shutil.rmtree(work.FILES / _RELEASES, ignore_errors=True)
    for record in records:
        place = work.FILES / str(record["url"]).removeprefix("https://")
        place.parent.mkdir(parents=True)
        os.link(record["file"], place)
        work.list_digests(place.parent, "sha256sum.txt", "{sha256}  ./{name}")


def require_upstream(pins: Mapping[str, Any], model: str) -> None:
    """Say what a host will download from upstream. Raises LabError where that is not reached."""
    version = max(it["ollama"]["use"] for it in pins["releases"].values())
    file, weights = pins["artifacts"]["ollama"][version]["amd64"], pins["weights"][model]
    name, _, tag = model.partition(":")
    manifest = f"https://registry.ollama.ai/v2/library/{name}/manifests/{tag}"
    print(
        f"upstream: each host will download, from where the product's own pins say:\n"
        f"  Ollama {version}: {ASSET}, {file['size'] / 1e6:.0f} MB, {file['url']}\n"
        f"  weights {model}: {weights['bytes'] / 1e6:.0f} MB, {manifest}",
        flush=True,
    )
    for url in (file["url"], manifest):
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=_REACH_SECONDS).close()
        except (OSError, urllib.error.URLError) as error:
            raise LabError(
                f"{VARIABLE}={UPSTREAM} needs a machine that reaches GitHub and Ollama's registry.\n"
                f"{url}: {getattr(error, 'reason', error)}\n"
                f"Name a release file instead, {VARIABLE}=…/{ASSET}, or nothing: the stand-in."
            ) from None


def _version(path: Path) -> str:
    """Which version it is: what it says itself, in a HOME of its own."""
    with work.workspace() as tree:
        unpack(path, tree)
        try:
            done = subprocess.run(
                [tree / "bin" / "ollama", "--version"],
                env={"HOME": str(tree), "OLLAMA_HOST": "127.0.0.1:1"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            output = (done.stdout + done.stderr).strip()
        except OSError as error:
            output = str(error)
    found = _VERSION.search(output)
    if not found:
        raise LabError(
            f"{VARIABLE}={path}: `bin/ollama --version` of it prints no version:\n{output[-1000:]}"
        )
    return found[1]


def unpack(path: Path, tree: Path) -> None:
    """Unpack a release file. Raises LabError where it is none."""
    command = ["tar", "--extract", "--zstd", f"--file={path}", f"--directory={tree}", "--no-same-owner"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (tree / "bin" / "ollama").is_file():
        message = next(iter(done.stderr.strip().splitlines()), "no bin/ollama in it")
        raise LabError(f"{path} is no release file of Ollama ({ASSET}): {message}")
