"""`python -m fleet.pin REPOSITORY@REVISION`: writes the pin of a model's tree, for a file of pins.

The hub is asked for the commit, and for the digest of each file; small files have none there, and are
fetched to take it. --under takes one folder of a repository that has a model in several. With --snapshot the
tree is a folder on this machine, as Hugging Face's tools leave it.
Exit status 0; 2 with the reason where the tree cannot be pinned.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from engine.refusal import RefusedError, refuse
from engine.secrets import reveal
from schemas.data.pins import load as load_pins
from schemas.model import Secret

_NAME = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@(?P<revision>[\w./-]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REFERENCE = re.compile(r"(env|file|command):(.+)")
_SECONDS = 60
# Of a value in the KV cache: as vLLM keeps it (bfloat16), and ONNX Runtime GenAI on the CPU.
_BYTES_OF_A_VALUE, _BYTES_ON_CPU = 2, 4
# By these a tree is a model: that of ONNX Runtime GenAI says what it computes with.
_CONFIGS = ("genai_config.json", "config.json")
# By these it is one of speech, which has no such cache: of faster-whisper, of piper.
_SPEECH = ("/model.bin", ".onnx.json")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    given = _parser().parse_args(arguments)
    try:
        print(pin(given.name, given.snapshot, given.hub, given.token, given.under), end="")
    except RefusedError as error:
        print(f"pin: {given.name}\n{error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fleet.pin", description="Print the pin of a model's tree."
    )
    parser.add_argument("name", metavar="REPOSITORY@REVISION", help="e.g. google/gemma-3-4b-it@main")
    parser.add_argument("--snapshot", type=Path, help="the tree as a folder on this machine")
    parser.add_argument(
        "--under", metavar="FOLDER", default="", help="only what lies there in the repository"
    )
    parser.add_argument("--hub", help="a hub that answers like Hugging Face's (default: the one of the pins)")
    parser.add_argument("--token", help="for a gated tree: env:NAME, file:PATH or command:COMMAND LINE")
    return parser


def pin(
    name: str, snapshot: Path | None = None, hub: str | None = None, token: str | None = None, under: str = ""
) -> str:
    """The entry as YAML. Raises RefusedError where the tree is not known, or no engine's model."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise refuse("REPOSITORY@REVISION, e.g. google/gemma-3-4b-it@main", name)
    repository, revision = match["repository"], match["revision"]
    if snapshot:
        commit, files, config = _of_folder(snapshot, revision, _folder(under))
    else:
        pins, _ = load_pins()
        assert pins
        commit, files, config = _Hub(hub or pins.registries["hub"], token).tree(
            repository, revision, _folder(under)
        )
    tree = {
        "commit": commit,
        **({"kv_bytes_per_token": kv_bytes_per_token(config)} if config is not None else {}),
        "files": {path: files[path] for path in sorted(files)},
    }
    return yaml.safe_dump({"trees": {repository: tree}}, sort_keys=False, width=1000)


def _folder(under: str) -> str:
    return f"{under.strip('/')}/" if under.strip("/") else ""


def kv_bytes_per_token(config: Mapping[str, Any]) -> int:
    """Bytes of the KV cache for a token, of a model's config; sliding windows count as whole layers.

    `config`: that of ONNX Runtime GenAI, which computes with single precision on the CPU, or the publisher's.
    Raises RefusedError where the model has no such cache.
    """
    try:
        if "decoder" in config.get("model", {}):
            it = config["model"]["decoder"]
            return int(
                2 * it["num_hidden_layers"] * it["num_key_value_heads"] * it["head_size"] * _BYTES_ON_CPU
            )
        text = config.get("text_config", config)
        heads = text["num_attention_heads"]
        head_dim = text.get("head_dim") or text["hidden_size"] // heads
        kv_heads = text.get("num_key_value_heads") or heads
        return int(2 * text["num_hidden_layers"] * kv_heads * head_dim * _BYTES_OF_A_VALUE)
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise refuse(
            "a language model's config.json (num_hidden_layers, num_attention_heads, …)", f"no {error}"
        ) from error


# Commit, files, the model's config: None of one of speech.
_Tree = tuple[str, dict[str, dict[str, Any]], Mapping[str, Any] | None]


def _config(found: Collection[str], where: str) -> str:
    """Which of a tree's files is its config: the uppermost; empty where it needs none.

    Raises RefusedError where there is none.
    """
    if any(f"/{it}".endswith(_SPEECH) for it in found):
        return ""
    for name in _CONFIGS:
        if those := [it for it in found if it.rpartition("/")[2] == name]:
            return min(those, key=lambda it: (it.count("/"), it))
    raise refuse(f"a model's tree in {where}", f"no {' and no '.join(reversed(_CONFIGS))} there")


def _of_folder(folder: Path, revision: str, under: str) -> _Tree:
    """A snapshot, whose folder is named by its commit where the revision is no commit."""
    commit = next((it for it in (revision, folder.resolve().name) if _COMMIT.fullmatch(it)), "")
    if not commit:
        remedy = "write REPOSITORY@COMMIT: the folder's name is none"
        raise refuse("a commit of 40 hex digits", f"{revision}, and {folder}", remedy)
    paths = {it.relative_to(folder).as_posix(): it for it in folder.rglob("*") if it.is_file()}
    # What the tools keep beside a tree is no part of it.
    paths = {name: it for name, it in paths.items() if not (name.startswith(".") and "/" in name)}
    paths = {name: it for name, it in paths.items() if name.startswith(under)}
    config = _config(paths, f"{folder}/{under}".rstrip("/"))
    files = {name: _entry(it) for name, it in paths.items()}
    return commit, files, json.loads(paths[config].read_text(encoding="utf-8")) if config else None


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}


class _Hub:
    """Hugging Face's hub, or one that answers like it."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        if token:
            match = _REFERENCE.fullmatch(token)
            if match is None:
                raise refuse(
                    "a token as env:NAME, file:PATH or command:COMMAND LINE", "something else (not shown)"
                )
            value = reveal({"HF_TOKEN": Secret(match[1], match[2])})["HF_TOKEN"]
            self._session.headers["Authorization"] = f"Bearer {value}"

    def tree(self, repository: str, revision: str, under: str) -> _Tree:
        """The tree at what the revision is now."""
        listed = json.loads(self._get(f"{self._url}/api/models/{repository}/revision/{revision}?blobs=true"))
        try:
            commit = listed["sha"]
            siblings = [it for it in listed["siblings"] if it["rfilename"].startswith(under)]
            base = f"{self._url}/{repository}/resolve/{commit}"
            named = _config([it["rfilename"] for it in siblings], f"{repository}/{under}".rstrip("/"))
            files, config = {}, b""
            for it in siblings:
                path, large = it["rfilename"], it.get("lfs")
                if large:
                    files[path] = {"sha256": large["sha256"], "size": large["size"]}
                    continue
                content = self._get(f"{base}/{path}")
                files[path] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
                config = content if path == named else config
        except (KeyError, TypeError) as error:
            raise refuse(f"an answer of a hub from {self._url}", f"no {error} in it") from error
        return commit, files, json.loads(config) if named else None

    def _get(self, url: str) -> bytes:
        try:
            answer = self._session.get(url, timeout=_SECONDS)
        except requests.RequestException as error:
            remedy = "check this machine's network, name another --hub, or pin a --snapshot"
            raise refuse(f"an answer from {url}", str(error), remedy) from error
        if answer.status_code in (401, 403):
            remedy = "accept the model's terms at the hub, and name the token: --token env:HF_TOKEN"
            raise refuse(f"access to {url}", f"status {answer.status_code}", remedy)
        if answer.status_code != requests.codes.ok:
            raise refuse(
                f"an answer from {url}", f"status {answer.status_code}", "check repository and revision"
            )
        return answer.content


if __name__ == "__main__":
    sys.exit(main())
