"""The packages as data agree with the contract; what is published follows its rules, in real repositories."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from jsonschema import Draft202012Validator

from engine.release import Release
from roles.backend.deploy import launcher as backend_launcher
from roles.packing.tags.__main__ import main
from roles.ui.deploy import launcher as ui_launcher
from schemas.data.artifacts import variants
from schemas.data.contract import contract
from schemas.data.pins import load as load_pins
from schemas.reading.document import read
from schemas.reading.validate import schema, validate
from tests.roles.plans import INVENTORY, plan

ROOT = Path(__file__).parents[2]
PROFILES = list(contract().profiles)

# -- the data ---------------------------------------------------------------------------------------


def test_the_packages_are_valid() -> None:
    Draft202012Validator.check_schema(schema("artifacts"))
    document = read(ROOT / "schemas/data/artifacts.yaml")
    assert document.problems == []
    assert validate(document, schema("artifacts")).problems == []


def test_a_package_names_profiles_and_tiers_of_the_contract() -> None:
    known = contract()
    for variant in variants().values():
        assert set(variant.profiles) <= set(known.profiles), variant.name
        assert set(variant.tiers) <= set(known.requirements), variant.name
        for extra in variant.tiers[1:]:
            after = known.requirements[extra].after
            assert not after or set(after) & set(variant.tiers), f"{extra} goes after {after}"


def test_a_package_is_of_the_class_of_its_heaviest_tier() -> None:
    for variant in variants().values():
        if variant.tiers:
            assert variant.kind == contract().requirements[variant.tiers[-1]].kind, variant.name


def test_each_profile_has_its_default_requirements_from_one_package() -> None:
    for profile in contract().profiles.values():
        fits = [it.name for it in variants().values() if it.tiers == (profile.requirements,)]
        assert fits == ["venom-backend-light"], "one channel of installation for all"
        assert profile.name in variants()["venom-backend-light"].profiles


def test_heavy_packages_are_for_the_profile_that_allows_them() -> None:
    heavy = [it for it in variants().values() if it.kind != "core-light"]
    assert heavy
    assert {it.profiles for it in heavy} == {("full",)}


def test_every_pinned_release_has_the_light_package_s_locks_without_any_model_engine() -> None:
    pins, _ = load_pins()
    assert pins is not None
    light = variants()["venom-backend-light"]
    for release, source in pins.releases.items():
        for arch in ("amd64", "arm64"):
            python = ".".join(source.python_use.split(".")[:2])
            text = (ROOT / "schemas/data" / light.lock(release, python, arch)).read_text(encoding="utf-8")
            names = {line.split("==")[0] for line in text.splitlines() if "==" in line}
            heavy = ("onnx", "optimum", "accelerate", "torch", "vllm")
            assert [it for it in names if it.startswith(heavy)] == [], release


def test_a_package_starts_as_the_hosts_start_it() -> None:
    release = Release.of(plan(), "0" * 64, "2" * 64, "1" * 64)
    for name, text in (
        ("venom-backend-light", backend_launcher(release)),
        ("venom-frontend", ui_launcher(release)),
    ):
        started = text[text.index("exec ") :].replace("\\\n", " ").split()[1:]
        program, *arguments = variants()[name].start
        assert Path(started[0]).name == program
        port = [it.replace("{backend_port}", '"$VENOM_PORT"') for it in arguments]
        # On a host the source lies elsewhere, which one option more names.
        assert [it for it in started[1:] if it not in ("--app-dir", release.source_path)] == port


@pytest.mark.parametrize("other", PROFILES)
def test_a_change_of_the_profile_changes_no_digest_of_what_is_installed(other: str) -> None:
    light, changed = plan(), plan(INVENTORY.replace("profile: light", f"profile: {other}"))
    assert changed.profile == other
    releases = [Release.of(it, "0" * 64, "2" * 64, "1" * 64) for it in (light, changed)]
    assert releases[0] == releases[1]
    assert releases[0].key == releases[1].key
    assert light.requirements == changed.requirements
    assert light.python == changed.python
    assert light.node == changed.node


def test_other_requirements_are_another_package() -> None:
    extras = "    requirements: {extras: [onnx-cpu, onnx-extras]}\n"
    onnx = plan(INVENTORY.replace("profile: light", "profile: full") + extras)
    assert (onnx.requirements.tier, *onnx.requirements.extras) == variants()["venom-backend-onnx"].tiers


# -- the release ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repository:
    """A real git repository, made for a test."""

    path: Path

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            [
                "git",
                "-c",
                "user.name=Ada",
                "-c",
                "user.email=ada@example.org",
                "-C",
                str(self.path),
                *arguments,
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.path / "file").write_text(text)
        self.git("add", "file")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")


@dataclass(frozen=True)
class Answer:
    status: int
    names: list[str]
    errors: str


class Ask(Protocol):
    def __call__(self, repository: Repository, *arguments: str) -> Answer: ...


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """The tool, as a CI calls it."""

    def run(repository: Repository, *arguments: str) -> Answer:
        status = main([*arguments, str(repository.path)])
        printed = capsys.readouterr()
        return Answer(status, printed.out.split(), printed.err)

    return run


@pytest.fixture
def venom(tmp_path: Path) -> Repository:
    """A repository with two commits on main, checked out at the second."""
    path = tmp_path / "venom"
    path.mkdir()
    repository = Repository(path)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("first")
    repository.commit("second")
    return repository


def tags(answer: Answer) -> list[str]:
    """The tags of the light package; all others have the same."""
    assert answer.status == 0, answer.errors
    by_name: dict[str, list[str]] = {}
    for image in answer.names:
        name, _, tag = image.partition(":")
        by_name.setdefault(name, []).append(tag)
    assert set(by_name) == set(variants())
    assert len({tuple(it) for it in by_name.values()}) == 1
    return by_name["venom-backend-light"]


@pytest.mark.parametrize("annotated", [False, True])
def test_a_release_gets_its_commit_its_tag_and_latest(ask: Ask, venom: Repository, annotated: bool) -> None:
    venom.git("tag", *(["--annotate", "--message", "it"] if annotated else []), "v1.2.3")
    sha = venom.git("rev-parse", "HEAD")
    assert tags(ask(venom, "--tag", "v1.2.3")) == [f"sha-{sha[:7]}", "v1.2.3", "latest"]


def test_an_older_commit_of_main_may_be_released(ask: Ask, venom: Repository) -> None:
    venom.git("tag", "v1.2.3", "HEAD~1")
    venom.git("checkout", "--quiet", "v1.2.3")
    assert "v1.2.3" in tags(ask(venom, "--tag", "v1.2.3"))


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3.4", "v01.2.3", "v1.2.3-rc1", "v1.2.3\n", "version"])
def test_a_release_tag_is_strict(ask: Ask, venom: Repository, tag: str) -> None:
    answer = ask(venom, "--tag", tag)
    assert answer.status == 2
    assert answer.names == []
    assert "required  a release tag vMAJOR.MINOR.PATCH" in answer.errors


def test_a_commit_beside_main_is_not_released(ask: Ask, venom: Repository) -> None:
    venom.git("checkout", "--quiet", "-b", "feature", "HEAD~1")
    sha = venom.commit("third")
    venom.git("tag", "v1.2.3")
    answer = ask(venom, "--tag", "v1.2.3")
    assert answer.status == 2
    assert f"found     {sha[:12]} is not in the history of main" in answer.errors


def test_main_is_that_of_the_server_where_there_is_one(ask: Ask, venom: Repository, tmp_path: Path) -> None:
    clone = Repository(tmp_path / "clone")
    venom.git("clone", "--quiet", str(venom.path), str(clone.path))
    clone.commit("only here")
    clone.git("tag", "v1.2.3")
    answer = ask(clone, "--tag", "v1.2.3")
    assert answer.status == 2
    assert "is not in the history of origin/main" in answer.errors


def test_what_is_checked_out_is_what_the_tag_names(ask: Ask, venom: Repository) -> None:
    venom.git("tag", "v1.2.3", "HEAD~1")
    answer = ask(venom, "--tag", "v1.2.3")
    assert answer.status == 2
    assert "do        git checkout v1.2.3" in answer.errors


def test_everything_that_is_wrong_is_reported_at_once(ask: Ask, venom: Repository) -> None:
    venom.git("checkout", "--quiet", "-b", "feature")
    venom.commit("third")
    errors = ask(venom, "--by-hand", "--extra", "v9.9.9").errors
    assert errors.count("required  ") == 3


def test_a_tag_that_is_not_there_and_a_shallow_clone_are_reported(
    ask: Ask, venom: Repository, tmp_path: Path
) -> None:
    assert "found     no such tag" in ask(venom, "--tag", "v1.2.3").errors
    clone = Repository(tmp_path / "clone")
    venom.git("clone", "--quiet", "--depth=1", f"file://{venom.path}", str(clone.path))
    assert "do        git fetch --unshallow" in ask(clone, "--tag", "v1.2.3").errors
    assert "found     none in" in ask(Repository(tmp_path), "--tag", "v1.2.3").errors


def test_by_hand_somebody_confirms(ask: Ask, venom: Repository) -> None:
    refused = ask(venom, "--by-hand", "--extra", "rc1")
    assert refused.status == 2
    assert "do        --confirmed true" in refused.errors
    sha = venom.git("rev-parse", "HEAD")
    assert tags(ask(venom, "--by-hand", "--confirmed", "true")) == [f"sha-{sha[:7]}"]
    assert tags(ask(venom, "--by-hand", "--confirmed", "true", "--extra", "rc1")) == [f"sha-{sha[:7]}", "rc1"]


@pytest.mark.parametrize("extra", ["latest", "v1.2.3", "sha-1234567", "two words", "a/b", "-x", "x" * 129])
def test_by_hand_no_tag_is_given_that_the_rules_give(ask: Ask, venom: Repository, extra: str) -> None:
    answer = ask(venom, "--by-hand", "--confirmed", "true", f"--extra={extra}")
    assert answer.status == 2
    assert answer.names == []
