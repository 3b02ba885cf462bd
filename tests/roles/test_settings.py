"""Settings reach the backend's file by key, and its launcher takes the digest of what stands there."""

from __future__ import annotations

import getpass
import io
import runpy
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import remote
from engine.env import quoted, settings_digest
from engine.release import Release
from roles.backend.deploy import launcher

RELEASE = Release(source="s", venv="v", ui="u", node="n", python="p")
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30)


def set_env(path: Path, values: dict[str, str], absent: tuple[str, ...] = ()) -> None:
    """What a switch does to the file, by the script that runs on the host."""
    activate = runpy.run_path(str(remote.SCRIPTS / "switch_files.py"))
    lines = {key: quoted(value) for key, value in values.items()}
    activate["settings"](str(path), lines, set(absent), getpass.getuser())


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    # Who may write the folder could else have root read for them what only root may.
    shadow, path = tmp_path / "shadow", tmp_path / "venom.env"
    shadow.write_text("root:secret\n", encoding="utf-8")
    path.symlink_to(shadow)
    set_env(path, {"PROFILE": "full"})
    assert not path.is_symlink()
    assert path.read_text(encoding="utf-8") == "PROFILE=full\n"
    assert shadow.read_text(encoding="utf-8") == "root:secret\n"


def test_keys_of_others_and_comments_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "venom.env"
    path.write_text("# mine\nPANEL='set by hand'\nPROFILE=light\nOLD=1\n", encoding="utf-8")
    set_env(path, {"PROFILE": "full", "NEW": "a b"}, absent=("OLD",))
    assert path.read_text(encoding="utf-8") == "# mine\nPANEL='set by hand'\nPROFILE=full\nNEW='a b'\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


# It starts a shell, and the machine may be busy.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,9}", fullmatch=True), VALUES, min_size=1, max_size=4))
def test_the_launcher_computes_the_digest_that_the_plan_expects(values: dict[str, str]) -> None:
    lines = "".join(f"{key}={quoted(value)}\n" for key, value in values.items())
    shell = next(line for line in launcher(RELEASE).splitlines() if line.startswith("settings="))
    done = subprocess.run(
        ["sh", "-c", f'{shell}\nprintf %s "$settings"'],
        env={"PATH": "/usr/bin:/bin", "VENOM_SETTINGS": "|".join(values), "ENV_FILE": "/dev/stdin"},
        input=f"OTHER=1\n{lines}",
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == settings_digest(values)


@pytest.mark.parametrize("value", ["plain", "two words", "it's", 'a"b', "back\\slash", "#no", ""])
def test_a_quoted_value_is_read_back_as_it_was(value: str) -> None:
    read = dotenv_values(stream=io.StringIO(f"KEY={quoted(value)}\n"), interpolate=False)
    assert read["KEY"] == value
