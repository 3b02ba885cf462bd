"""Weights that were damaged on the disk: which files they are is shown where the model cannot be loaded."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import remote
from engine.jobs import Job
from engine.observation import Observed
from roles.verification import inside
from roles.verification.attempt import NotSo
from tests.engine.test_observation import ask, question

BLOBS = {b"config": "config", b"weights": "model", b"template": "template"}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A model in a store."""
    blobs = tmp_path / "models" / "blobs"
    blobs.mkdir(parents=True)
    entries = []
    for content in BLOBS:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / f"sha256-{digest}").write_bytes(content)
        entries.append({"digest": f"sha256:{digest}", "size": len(content)})
    path = tmp_path / "models" / "manifests" / "registry.ollama.ai" / "library" / "gemma3" / "4b"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"config": entries[0], "layers": entries[1:]}))
    return path


def blob(manifest: Path, content: bytes) -> Path:
    return manifest.parents[4] / "blobs" / f"sha256-{hashlib.sha256(content).hexdigest()}"


def observed(manifest: Path) -> Observed:
    """What the look says of it, on this machine."""
    return ask(question(paths=[str(manifest)], manifests=str(manifest.parents[3])))


def test_weights_that_are_not_whole_are_not_there_and_the_look_says_what_they_lack(manifest: Path) -> None:
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    job = Job(name="weights", title="", key="", makes=str(manifest), script="", digest=digest)
    assert job.done(observed(manifest))
    weights = blob(manifest, b"weights")
    weights.write_bytes(b"half")
    assert not job.done(observed(manifest))
    [difference] = job.differs(observed(manifest))
    assert difference.why == f"{weights.name[:19]} has 4 of 7 bytes"
    weights.unlink()
    [difference] = job.differs(observed(manifest))
    assert difference.why == f"{weights.name[:19]} has 0 of 7 bytes"


def test_of_whole_weights_nothing_is_reported(switch: Any, manifest: Path) -> None:
    assert switch.damaged({"manifest": str(manifest)}) == ""


def test_files_that_were_damaged_or_are_gone_are_named_with_what_brings_them_back(
    switch: Any, manifest: Path
) -> None:
    weights, template = blob(manifest, b"weights"), blob(manifest, b"template")
    weights.write_bytes(b"weighty")
    template.unlink()
    assert switch.damaged({"manifest": str(manifest)}).splitlines() == [
        "",
        "required  weights whose files match the digests in their names",
        f"found     {weights}: damaged",
        f"found     {template}: not there",
        f"do        rm -f {manifest} {weights} {template}, and run again: the missing file is pulled again",
    ]


def test_an_acceptance_reads_them_from_end_to_end(manifest: Path) -> None:
    def found() -> tuple[str, str]:
        program = remote.program("weights.py", ("blobs.py",), inside.SCRIPTS)
        command = [sys.executable, "-I", "-S", "-c", program, str(manifest)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr.strip()

    assert json.loads(found()[0]) == {"bytes": sum(map(len, BLOBS)), "damaged": []}
    blob(manifest, b"weights").write_bytes(b"weighty")
    with pytest.raises(NotSo, match=f"damaged\nrm -f {blob(manifest, b'weights')}\n"):
        inside.whole_weights(found()[0])
    manifest.write_text("{")
    assert found()[1].startswith(f"{manifest}: no manifest that can be read (")


def test_without_a_manifest_there_is_nothing_to_compare(switch: Any, tmp_path: Path) -> None:
    assert switch.damaged({"manifest": str(tmp_path / "none")}) == ""
    # A generation of before this was looked at.
    assert switch.damaged({}) == ""
