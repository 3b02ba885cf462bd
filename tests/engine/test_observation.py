"""The look, run for real on this machine: what it shows, and what it says of what it could not see."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engine import observation as look
from engine import paths, remote
from engine.observation import NONCE, Observed, Question
from engine.refusal import RefusedError
from engine.resources import sha256
from tests.http_serving import Quiet, serving

MARKED = "# Managed by the Venom provisioner\n"


def question(**given: object) -> Question:
    nothing: dict[str, object] = dict.fromkeys(("paths", "folders", "env_files", "units", "users"), ())
    nothing |= {"packages": (), "links": {}, "certificates": (), "doors": {}, "services": ()}
    return Question(**{**nothing, "manifests": "/nowhere", "receipt": "/nowhere", **given})  # type: ignore[arg-type]


def answer(it: Question, *, python: str = remote.PYTHON) -> str:
    """What this machine says. `python`: where the script finds one, or does not."""
    script = remote.script("look.sh").replace(remote.PYTHON, python)
    program = remote.program("look.py", ("read_door.py", "fingerprint.py", "images.py", "certificates.py"))
    done = subprocess.run(
        ["sh", "-c", script, "sh", program], input=f"{it}\n", text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.endswith("end=yes\n")
    return done.stdout


def ask(it: Question, *, python: str = remote.PYTHON) -> Observed:
    """The answer of this machine, as it is read."""
    return look.read(answer(it, python=python).splitlines(), sorted(it.units))


def test_what_is_there_is_reported_with_and_without_a_python3(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text(f"#!/bin/sh\n{MARKED}")
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "late").write_text(f"\n\n\n{MARKED}")
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "folder" / "it\nself").write_text("")
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    (tmp_path / "moved").symlink_to("disk")
    (tmp_path / "link").symlink_to("a\npath=b")
    names = ("ours", "theirs", "late", "folder", "moved", "link", "none", "theirs/none")
    wanted = question(
        paths=[f"{tmp_path}/{it}" for it in names],
        folders=[f"{tmp_path}/{it}" for it in ("folder", "moved", "none")],
        users=["root", "nobody", "of-nobody"],
        packages=["dpkg", "of-nobody"],
    )
    observed = ask(wanted)
    assert ask(wanted, python="/nowhere/python3") == observed
    at = {path.removeprefix(f"{tmp_path}/"): it for path, it in observed.paths.items()}
    assert set(at) == set(names) - {"none", "theirs/none"}
    assert at["theirs"] == {
        **{"kind": "file", "mode": "0644", "owner": "root", "group": "root"},
        "sha256": sha256("x"),
    }
    assert [it for it in at if at[it].get("ours")] == ["ours"]
    # Made by whom it may: a link's target begins no line of its own.
    assert at["link"]["target"] == "a path=b"
    assert (at["folder"]["kind"], at["folder"]["mode"]) == ("directory", "0700")
    assert (at["moved"]["kind"], at["moved"]["target"]) == ("directory", "disk")
    assert "loose" not in at["moved"]
    os.chown(tmp_path, 65534, 65534)
    assert ask(wanted).paths[f"{tmp_path}/moved"]["loose"] == str(tmp_path)
    assert {Path(it).name: names for it, names in observed.holds.items()} == {"folder": ("it self",)}
    assert (observed.users["root"].uid, observed.users["root"].home) == (0, "/root")
    assert set(observed.users) == {"root", "nobody"}
    assert observed.groups["root"].gid == 0
    assert observed.packages == {"dpkg"}


def test_settings_come_back_as_digests_with_the_nonce_of_the_run(tmp_path: Path) -> None:
    file = tmp_path / "venom.env"
    file.write_text("# note\nKEY=secret\n")
    (tmp_path / "receipt").write_text(json.dumps({"generation": "g1"}))
    observed = ask(question(env_files=[str(file)], receipt=str(tmp_path / "receipt")))
    assert observed.env_files[str(file)]["values"] == {"KEY": sha256(f"{NONCE}secret")}
    assert "sha256" not in observed.env_files[str(file)]
    assert observed.receipt == {"generation": "g1"}


def test_what_could_not_be_looked_at_is_refused_with_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho Traceback\necho no module of that name >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RefusedError) as refusal:
        ask(question(paths=[f"{tmp_path}/loop/it"]), python=str(broken))
    files, python = refusal.value.findings
    assert files.requirement == "files of the host that can be read"
    assert files.found == f"find: '{tmp_path}/loop/it': Too many levels of symbolic links"
    assert python.found == "no module of that name"
    assert "apt-get install --reinstall python3" in python.remedy


def test_a_python3_that_is_too_old_or_gone_from_under_its_link_is_reported(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to("python3.11")
    with pytest.raises(RefusedError, match="not found"):
        ask(question(), python=str(tmp_path / "python3"))
    old = remote.program("look.py", ()).replace("OLDEST = (3, 10)", "OLDEST = (9, 0)")
    modules = remote.program(
        "read_door.py", ("read_door.py", "fingerprint.py", "images.py", "certificates.py")
    )
    done = subprocess.run(
        [remote.PYTHON, "-c", modules + old, ""], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("it is Python 3.")
    assert done.returncode == 1


def test_the_mark_or_a_receipt_shows_that_a_run_was_here() -> None:
    nothing = Observed()
    assert not nothing.known
    assert replace(nothing, paths={paths.MARK: {"ours": "yes"}}).known
    assert not replace(nothing, paths={paths.MARK: {"kind": "file"}}).known
    assert replace(nothing, receipt={"generation": "g1"}).known


class _Ready(Quiet):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()


def test_a_service_that_is_not_ready_or_not_there_is_silent() -> None:
    with serving(_Ready) as url:
        ready, starting = f"{url}/ready", f"{url}/starting"
        assert ask(question(services=[ready, starting])).silent == {starting: "status 503"}
    assert "refused" in ask(question(services=[ready])).silent[ready]
