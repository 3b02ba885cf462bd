"""What the units are closed to, what `full` alone may, and what root does in a folder of a service."""

from __future__ import annotations

import getpass
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from engine import remote
from engine.resources import File
from roles.backend import deploy as backend
from roles.ui import deploy as ui
from tests.roles.plans import INVENTORY, plan


def backend_unit(profile: str) -> list[str]:
    it = plan(INVENTORY.replace("profile: light", f"profile: {profile}"))
    [unit] = [file for file in backend.resources(it, {}) if isinstance(file, File)]
    return [line for line in unit.content.splitlines() if "VENOM_FINGERPRINT" not in line]


def test_devices_and_memory_to_compile_into_are_for_the_backend_of_full_alone() -> None:
    light, full = backend_unit("light"), backend_unit("full")
    assert [line for line in light if line not in full] == []
    more = [line.partition("=")[0] for line in full if line not in light and line[:1] != "#"]
    assert dict.fromkeys(more) == dict.fromkeys(
        ("PrivateDevices", "DeviceAllow", "MemoryDenyWriteExecute", "NoExecPaths", "SystemCallFilter")
    )
    # The last one counts, so it must stand below what all share.
    assert full.index("PrivateDevices=yes") < full.index("PrivateDevices=no")


@pytest.mark.parametrize(
    ("address", "closed"),
    [("", True), ("http://localhost:8000", True), ("http://192.0.2.7:8000", False)],
)
def test_the_ui_reaches_loopback_only_where_all_it_asks_is_there(address: str, closed: bool) -> None:
    own = f"    environment: {{NEXT_PUBLIC_API_BASE: '{address}'}}\n" if address else ""
    [unit] = [file for file in ui.resources(plan(INVENTORY + own)) if isinstance(file, File)]
    assert ("IPAddressDeny=any" in unit.content) is closed


def directory(path: Path, mode: str) -> subprocess.CompletedProcess[str]:
    """What makes a directory on the host."""
    script = remote.SCRIPTS / "directory.py"
    line = [sys.executable, str(script), str(path), getpass.getuser(), mode]
    return subprocess.run(line, text=True, capture_output=True, check=False)


def test_a_directory_is_made_with_its_parents_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "opt" / "venom"
    for mode in ("0755", "0700"):
        assert directory(path, mode).returncode == 0
        assert path.stat().st_mode & 0o777 == int(mode, 8)


def test_a_link_in_place_of_a_directory_gives_nothing_away(tmp_path: Path) -> None:
    # Who may write the folder could else have root give them a directory of the system.
    system, path = tmp_path / "cron.d", tmp_path / "state" / "env-history"
    system.mkdir(mode=0o755)
    path.parent.mkdir()
    os.chown(path.parent, 65534, 65534)
    path.symlink_to(system)
    assert directory(path, "0700").returncode == 0
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o700
    assert system.stat().st_mode & 0o777 == 0o755


def test_a_link_of_roots_in_a_folder_of_roots_is_the_operators_and_followed(tmp_path: Path) -> None:
    disk, path = tmp_path / "disk", tmp_path / "venom"
    disk.mkdir(mode=0o755)
    path.symlink_to(disk)
    assert directory(path, "0700").returncode == 0
    assert path.is_symlink()
    assert disk.stat().st_mode & 0o777 == 0o700


def test_a_file_in_place_of_a_directory_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "env-history"
    path.write_text("", encoding="utf-8")
    assert directory(path, "0700").returncode != 0
    assert path.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("key sk-proj-0123456789abcdef!", "key (secret OPENAI_API_KEY)!"),
        # As pydantic shortens a value that is not valid.
        (
            "input_value='sk-proj-01234...abcdef'",
            "input_value='(secret OPENAI_API_KEY)...abcdef'",
        ),
        ("it ends in 6789abcdef", "it ends in (secret OPENAI_API_KEY)"),
        ("password: it's me", "password: (secret DB_PASSWORD)"),
        ("port 8000, profile light", "port 8000, profile light"),
    ],
)
def test_a_journal_is_quoted_without_secrets(tmp_path: Path, printed: str, shown: str) -> None:
    settings = tmp_path / "venom.env"
    settings.write_text(
        "OPENAI_API_KEY=sk-proj-0123456789abcdef\nDB_PASSWORD='it\\'s me'\nPROFILE=light\nHF_TOKEN=\n",
        encoding="utf-8",
    )
    hidden = runpy.run_path(str(remote.SCRIPTS / "hidden.py"))["hidden"]
    hidden.__globals__["SETTINGS"] = (str(settings), str(tmp_path / "none"))
    assert hidden(printed) == shown
