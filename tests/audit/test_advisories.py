"""Advisories in files say which pins they hold, and where each has to be moved."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.__main__ import main
from audit.advisories import pinned
from audit.advisories.check import check, table
from audit.advisories.database import package_of, read
from audit.advisories.pinned import Pinned
from audit.advisories.versions import affected, debian, key_of, semver
from audit.tree import SourceError
from schemas.data.pins import load

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 28, tzinfo=UTC)
# Affected from 12 to 13.5.9 and from 14 to 14.2.25; the order of the events says nothing.
TWO_BRANCHES = [{"fixed": "14.2.25"}, {"introduced": "14"}, {"introduced": "12"}, {"fixed": "13.5.9"}]
LOCK = "schemas/data/locks/v9/api.txt"


def advisory(name: str, *events: dict[str, str], ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    """An advisory of one package, whose versions these events bound."""
    entry = {"package": {"ecosystem": ecosystem, "name": name}}
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    return {
        "id": f"OSV-{name}",
        "modified": "2026-11-20T10:00:00Z",
        "summary": "Something is wrong",
        "affected": [{**entry, "ranges": ranges, "versions": more.pop("versions", [])}],
        **more,
    }


def found(folder: Path, pins: list[Pinned], *advisories: dict[str, Any]) -> dict[str, Any]:
    """What these advisories, as files, hold of these pins."""
    for number, it in enumerate(advisories):
        (folder / f"{number}.json").write_text(json.dumps(it), encoding="utf-8")
    wanted = {package_of(it.ecosystem, it.name) for it in pins}
    return check(pins, read(folder, wanted), NOW)


def introduced(fixed: str) -> tuple[dict[str, str], dict[str, str]]:
    """Events of what was wrong from the beginning."""
    return {"introduced": "0"}, {"fixed": fixed}


def test_an_advisory_names_the_pin_the_place_and_the_version_to_move_to(tmp_path: Path) -> None:
    it = advisory(
        "Some_Package",
        *introduced("1.2.5"),
        aliases=["GHSA-x", "CVE-2026-1"],
        database_specific={"severity": "HIGH"},
    )
    held = found(tmp_path, [Pinned("PyPI", "some-package", "1.2.4", LOCK)], it)
    assert table(held).splitlines() == [
        "1 pinned versions, 1 advisories; the newest of them was changed 2026-11-20, 7 days ago",
        "",
        "some-package 1.2.4 (PyPI)",
        "  found  OSV-Some_Package (CVE-2026-1), high: Something is wrong; fixed in 1.2.5",
        f"  in     {LOCK}",
        "  do     some-package 1.2.5 or later: python -m fleet.locks with a newer --cut-off; where"
        " Venom's own requirements exclude it, write requirements: "
        '{add: ["some-package>=1.2.5"]} and let the resolver say why',
    ]


def test_what_is_fixed_withdrawn_or_of_another_ecosystem_holds_nothing(tmp_path: Path) -> None:
    pins = [
        Pinned("PyPI", "a", "1.2.5", LOCK),
        Pinned("PyPI", "b", "1", LOCK),
        Pinned("PyPI", "c", "1", LOCK),
    ]
    held = found(
        tmp_path,
        pins,
        advisory("a", *introduced("1.2.5")),
        advisory("b", *introduced("2"), withdrawn="2026-01-01T00:00:00Z"),
        advisory("c", *introduced("2"), ecosystem="npm"),
    )
    assert (held["held"], held["unclear"], held["checked"]) == ([], [], 3)
    assert table(held).endswith("none of them is held by an advisory")


def test_a_version_that_is_held_twice_moves_to_where_both_are_fixed(tmp_path: Path) -> None:
    pins = [Pinned("PyPI", "a", "1.9", LOCK)]
    one, other = advisory("a", *introduced("1.10")), advisory("a", *introduced("1.9.1"))
    assert found(tmp_path, pins, one, other)["held"][0]["to"] == "1.10"
    never = advisory("a", {"introduced": "1.5"})
    (it,) = found(tmp_path, pins, one, other, never)["held"]
    assert (it["to"], it["do"]) == ("", "no version is named that is fixed: read the advisory")


def test_what_cannot_be_compared_is_not_taken_for_safe(tmp_path: Path) -> None:
    held = found(tmp_path, [Pinned("PyPI", "a", "1", LOCK)], advisory("a", *introduced("not a version")))
    assert held["held"] == []
    assert held["unclear"] == ["OSV-a: a 1: Invalid version: 'not a version'"]
    assert "could not be compared, so it may be held" in table(held)


@pytest.mark.parametrize(
    ("ecosystem", "version", "events", "holds"),
    [
        ("PyPI", "1.0rc1", [{"introduced": "1.0"}], False),
        ("PyPI", "1.0.post1", [{"introduced": "0"}, {"last_affected": "1.0"}], False),
        ("npm", "15.2.3-canary.4", [{"introduced": "15.0.0"}, {"fixed": "15.2.3"}], True),
        ("npm", "15.2.3", [{"introduced": "15.0.0"}, {"fixed": "15.2.3"}], False),
        ("npm", "13.5.0", TWO_BRANCHES, True),
        ("npm", "13.5.9", TWO_BRANCHES, False),
        ("npm", "14.2.1", TWO_BRANCHES, True),
        ("Go", "0.24.0", [{"introduced": "0"}, {"last_affected": "0.24.0"}], True),
        ("Debian:12", "1.22.1-9+deb12u3", [{"introduced": "0"}, {"fixed": "1.22.1-9+deb12u4"}], True),
        ("Debian:12", "1.22.1-9+deb12u10", [{"introduced": "0"}, {"fixed": "1.22.1-9+deb12u4"}], False),
    ],
)  # fmt: skip
def test_versions_are_compared_as_their_ecosystem_does(
    ecosystem: str, version: str, events: list[dict[str, str]], holds: bool
) -> None:
    entry = {"ranges": [{"type": "SEMVER", "events": events}]}
    assert affected(version, entry, key_of(ecosystem)) is holds


def test_a_version_may_be_named_without_a_range() -> None:
    assert affected("2.0", {"versions": ["1.0", "2.0"]}, key_of("PyPI"))
    commits = {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}
    assert not affected("2.0", commits, key_of("PyPI")), "commits say nothing of versions"


def test_semantic_versions_rise_as_their_specification_says() -> None:
    before = ["alpha", "alpha.1", "alpha.beta", "beta.2", "beta.11", "rc.1"]
    rising = [*(f"1.0.0-{it}" for it in before), "v1.0", "1.0.1"]
    assert sorted(set(rising), key=semver) == rising
    assert semver("1.0") == semver("1.0.0+build")


def test_versions_of_debian_rise_as_its_policy_says() -> None:
    # As `dpkg --compare-versions` has them.
    rising = ["1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0a-1", "1.0+dfsg-1", "1.9-1", "1.10-1"]
    rising.append("1:0.1-1")
    assert sorted(set(rising), key=debian) == rising


def test_a_database_may_be_a_folder_of_zip_files_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "PyPI.zip", "w") as archive:
        archive.writestr("OSV-a.json", json.dumps(advisory("a", *introduced("2"))))
        archive.writestr("OSV-b.json", json.dumps(advisory("b", modified="2026-11-27T00:00:00.5Z")))
    database = read(tmp_path, {("PyPI", "a")})
    assert [it["id"] for it in database.advisories] == ["OSV-a"]
    assert (database.read, database.newest) == (2, "2026-11-27T00:00:00.5Z")
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SourceError, match=r"advisories in the form of OSV"):
        read(tmp_path, {("PyPI", "a")})
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no advisory in"):
        read(tmp_path / "empty", set())
    (tmp_path / "broken.zip").write_text("PK", encoding="utf-8")
    with pytest.raises(SourceError, match=r"broken\.zip"):
        read(tmp_path / "broken.zip", set())


def test_locks_pins_and_nodes_tree_are_read() -> None:
    locked = set(pinned.locked())
    assert any(it.name == "fastapi" and "v1.9.0/api-py3.12-amd64.txt" in it.place for it in locked)
    vllm = [it.place for it in locked if it.name == "vllm"]
    assert vllm == ["schemas/data/engines/vllm-0.11.0-py3.12-amd64.txt"]
    pins, _ = load()
    assert pins
    known = {(it.ecosystem, it.name, it.version) for it in pinned.in_pins(pins)}
    assert ("Go", "github.com/ollama/ollama", "0.24.0") in known
    assert {("PyPI", "uv", pins.uv_version), ("Bitnami", "node", "24.21.0")} <= known
    nodes = {(it.name, it.version) for it in pinned.in_source(ROOT / "lab" / "venom", "")}
    assert ("next", "16.1.6") in nodes
    assert not [name for name, _ in nodes if "node_modules" in name]


def test_the_command_line_prints_what_is_held_and_its_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "osv"
    database.mkdir()
    nginx = advisory("nginx", *introduced("1.22.1-9+deb12u4"), ecosystem="Debian:12")
    (database / "1.json").write_text(json.dumps(nginx), encoding="utf-8")
    line = ["--advisories", str(database), "--json"]
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["held"] == []
    also = [*line, "--also", "Debian:12/nginx==1.22.1-9+deb12u3", str(ROOT / "lab" / "venom")]
    assert main(also) == 1
    (held,) = json.loads(capsys.readouterr().out)["held"]
    assert held["do"].startswith("nginx 1.22.1-9+deb12u4 or later: apt-get update")
    assert main([*line, "--also", "nginx"]) == 2
    assert "required  --also ECOSYSTEM/NAME==VERSION" in capsys.readouterr().err
    assert main([*line, str(tmp_path)]) == 2
    assert "required  Node's tree in a Venom" in capsys.readouterr().err
