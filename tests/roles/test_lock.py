"""A lock is the same for the same inputs; it has what a start needs, and nothing that light must not have."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from engine.archive import Archive
from engine.environment import Lock
from engine.refusal import RefusedError
from roles.backend import gate, lock
from roles.backend.requires import chain, listed
from roles.source.archive import pack
from schemas.model import HostPlan
from tests.roles.package_index import Index, index
from tests.roles.plans import plan

CUT_OFF = "2026-06-01T00:00:00Z"
MAIN = "import fastapi\n"


@dataclass
class Source:
    """A Venom of a few lines, its plan, and the index that its packages come from."""

    folder: Path
    index: Index

    def write(self, main: str = MAIN, **requirements: str) -> None:
        """`api="foo"` is requirements-profile-api.txt."""
        (self.folder / "venom_core").mkdir(exist_ok=True)
        (self.folder / "venom_core" / "main.py").write_text(main)
        (self.folder / "requirements.txt").write_text("-r requirements-profile-api.txt\n")
        for name, text in requirements.items():
            (self.folder / f"requirements-profile-{name.replace('_', '-')}.txt").write_text(text)

    def plan(self, profile: str = "light", **requirements: object) -> HostPlan:
        host = {
            "profile": profile,
            "venom": {"tree": str(self.folder), "like": "v1.9.0"},
            "requirements": requirements,
            "mirrors": {"pypi": self.index.url},
        }
        return plan(yaml.safe_dump({"hosts": {"box": {"address": "192.0.2.10", **host}}}))

    def archive(self, wanted: HostPlan) -> Archive:
        return pack(wanted.source)

    def lock(self, profile: str = "light", cut_off: str = CUT_OFF, **requirements: object) -> str:
        wanted = self.plan(profile, **requirements)
        return lock.make(wanted, self.archive(wanted), cut_off)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    (tmp_path / "venom").mkdir()
    with index() as published:
        published.publish("fastapi", "1.0", "starlette")
        published.publish("starlette", "1.0")
        published.publish("uvicorn", "1.0")
        yield Source(tmp_path / "venom", published)


def refusal(error: pytest.ExceptionInfo[RefusedError]) -> str:
    return str(error.value)


def versions(text: str) -> dict[str, str]:
    return {name: it.version for name, it in listed(text).items()}


def test_the_same_inputs_and_cut_off_give_the_same_file_whatever_came_since(source: Source) -> None:
    source.write(api="fastapi\nuvicorn\n")
    first = source.lock()
    source.index.publish("fastapi", "2.0", "starlette", at="2026-06-02T00:00:00Z")
    assert source.lock() == first
    assert versions(source.lock(cut_off="2026-06-03T00:00:00Z"))["fastapi"] == "2.0"
    assert lock.cut_off(first) == CUT_OFF
    assert "http" not in first, "a lock names no index"
    assert first.count("--hash=sha256:") == 3


def test_what_a_start_imports_and_the_files_forget_is_added_with_its_reason(source: Source) -> None:
    source.index.publish("pillow", "12.0")
    source.write(main="import fastapi\nfrom PIL import Image\n", api="fastapi\nuvicorn\n")
    text = source.lock()
    assert versions(text)["pillow"] == "12.0"
    added = Lock(Path(), text, "", fresh=True).added
    assert added == ["pillow: imported at start-up: venom_core/main.py:2; in no file of the tier api"]


def test_what_comes_with_another_package_is_not_missing(source: Source) -> None:
    source.write(main="import starlette\n", api="fastapi\nuvicorn\n")
    assert "# added" not in source.lock()


def test_the_server_that_the_unit_starts_is_needed_although_nothing_imports_it(source: Source) -> None:
    source.write(api="fastapi\n")
    assert "# added: uvicorn[standard]: the start command needs it" in source.lock()


def test_an_import_that_nobody_has_decided_on_is_refused_with_its_chain(source: Source) -> None:
    source.write(main="from venom_core import other\n", api="fastapi\nuvicorn\n")
    (source.folder / "venom_core" / "other.py").write_text("\nimport strange_thing\n")
    with pytest.raises(RefusedError) as error:
        source.lock()
    assert re.search(
        r"required  every package that a start imports, in the requirements of the tier api\n"
        r"found     strange-thing in none of requirements.txt; "
        r"imported at start-up: venom_core/main.py:1 > venom_core/other.py:2\n"
        r'do        add it, .*: requirements: \{add: \["strange-thing"\]\}',
        refusal(error),
    )
    # The package that brings it may have another name: its operator knows.
    source.index.publish("py-strange", "1.0")
    assert "py-strange" in versions(source.lock(add=["py-strange"]))


def test_what_is_guarded_or_lazy_need_not_be_there(source: Source) -> None:
    guarded = "try:\n    import docker\nexcept ImportError:\n    docker = None\ndef f():\n    import torch\n"
    source.write(main=guarded, api="fastapi\nuvicorn\n")
    assert set(versions(source.lock())) == {"fastapi", "starlette", "uvicorn"}


def test_what_light_must_not_have_is_refused_with_what_pulls_it_in(source: Source) -> None:
    source.index.publish("middle", "1.0", "onnxruntime")
    source.index.publish("onnxruntime", "1.5")
    source.write(api="fastapi\nuvicorn\nmiddle\n", onnx_cpu="-r requirements-profile-api.txt\n")
    for profile in ("light", "llm_off", "full"):
        with pytest.raises(RefusedError) as error:
            source.lock(profile)
        assert re.search(
            rf"required  no onnxruntime in profile {profile} with the requirements tier api \(.+\)\n"
            r"found     onnxruntime 1.5, by requirements-profile-api.txt > middle > onnxruntime\n"
            r"do        remove requirements-profile-api.txt if it is yours",
            refusal(error),
        )
    assert "onnxruntime" in versions(source.lock("full", tier="onnx-cpu"))


def test_two_packages_that_lie_in_one_folder_are_refused_with_what_brings_each(source: Source) -> None:
    source.index.publish("onnxruntime", "1.5")
    source.index.publish("onnxruntime-gpu", "1.4")
    source.index.publish("faster-whisper", "1.2", "onnxruntime")
    source.write(api="fastapi\nuvicorn\n", onnx="-r requirements-profile-api.txt\nonnxruntime-gpu\n")
    (source.folder / "requirements-extras-onnx.txt").write_text("faster-whisper\n")
    with pytest.raises(RefusedError) as error:
        source.lock("full", tier="onnx", extras=["onnx-extras"])
    assert re.search(
        r"required  one of onnxruntime, onnxruntime-gpu: they lie in one folder, and the last one wins\n"
        r"found     onnxruntime 1.5, by requirements-extras-onnx.txt > faster-whisper > onnxruntime\n"
        r" +onnxruntime-gpu 1.4, by requirements-profile-onnx.txt > onnxruntime-gpu\n"
        r"do        leave out of `requirements`",
        refusal(error),
    )


def test_what_the_matrix_bounds_holds_for_its_tier_alone_and_the_head_says_why(source: Source) -> None:
    for version in ("0.9", "0.10"):
        source.index.publish("pyautogen", version)
    source.index.publish("onnxruntime", "1.5")
    source.write(
        api="fastapi\nuvicorn\npyautogen\n", onnx_cpu="-r requirements-profile-api.txt\nonnxruntime\n"
    )
    assert versions(source.lock())["pyautogen"] == "0.10"
    bounded = source.lock("full", tier="onnx-cpu")
    assert versions(bounded)["pyautogen"] == "0.9"
    assert "# bounded: pyautogen<0.10: 0.10 is a name for autogen-agentchat" in bounded


def test_heavy_things_come_into_full_when_they_are_asked_for_by_name(source: Source) -> None:
    source.index.publish("torch", "2.0")
    source.write(api="fastapi\nuvicorn\n")
    assert "torch" in versions(source.lock("full", add=["torch"]))
    with pytest.raises(RefusedError, match=r"found     torch 2.0, by `requirements.add` > torch"):
        source.lock("light", add=["torch"])


def test_two_lines_that_exclude_each_other_are_named_with_their_places(source: Source) -> None:
    source.index.publish("thing", "4.0")
    source.index.publish("thing", "5.0")
    source.write(api="fastapi\n-c constraints.txt\n\nthing>=5.0,<6.0  # a reason\n")
    (source.folder / "constraints.txt").write_text("# kept\nthing>=4.0,<5.0\n")
    with pytest.raises(RefusedError) as error:
        source.lock()
    assert refusal(error) == (
        "required  requirements that can be resolved (tier api, extras none, Python 3.12)\n"
        "found     thing>=5.0,<6.0 (requirements-profile-api.txt:4) and thing>=4.0,<5.0 (constraints.txt:2) "
        "exclude each other\n"
        "do        loosen one of these lines in Venom's source "
        "(requirements-profile-api.txt:4, constraints.txt:2), or leave that tier out: `requirements`"
    )


def test_a_quarrel_of_dependencies_names_who_asks_for_what(source: Source) -> None:
    source.index.publish("deep", "1.0")
    source.index.publish("deep", "2.0")
    source.index.publish("user", "1.0", "deep>=2")
    source.write(api="fastapi\nuvicorn\ndeep<2\nuser\n")
    with pytest.raises(RefusedError) as error:
        source.lock()
    message = refusal(error)
    assert "deep<2 (requirements-profile-api.txt:3) and user (requirements-profile-api.txt:4)" in message
    assert "\n          all versions of user depend on deep>=2\n" in message
    assert "choose another Python" in message


def test_a_quarrel_with_the_operators_own_line_is_the_operators_to_end(source: Source) -> None:
    source.index.publish("thing", "4.0")
    source.write(api="fastapi\nuvicorn\nthing<5\n")
    with pytest.raises(RefusedError, match=r"do        change thing>=5 in `requirements.add`"):
        source.lock(add=["thing>=5"])


def test_what_does_not_exist_is_reported_in_the_resolvers_words(source: Source) -> None:
    source.write(api="fastapi\nuvicorn\nno-such-thing\n")
    with pytest.raises(RefusedError, match=r"(?s)found .*no-such-thing.*\ndo        choose another tier"):
        source.lock()


def test_a_lock_is_made_once_and_the_gate_reads_it_once(source: Source) -> None:
    source.write(api="fastapi\nuvicorn\n")
    wanted = source.plan()
    archive = source.archive(wanted)
    made = lock.lock_for(wanted, archive)
    assert made.fresh
    assert "onnxruntime" in made.refused
    found = gate.judge(wanted, archive, made.text)
    stored = archive.path.with_name(f"{archive.path.name}.json")
    before = stored.stat().st_mtime_ns
    assert gate.judge(wanted, archive, made.text) == found
    assert stored.stat().st_mtime_ns == before, "nothing was found out anew"


def test_a_lock_that_does_not_cover_the_source_is_not_used(source: Source, tmp_path: Path) -> None:
    source.write(api="fastapi\nuvicorn\n")
    old = source.lock()
    (source.folder / "venom_core" / "main.py").write_text("import fastapi, PIL\n")
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(source.folder / "venom_core", "venom_core")
    found = gate.judge(source.plan(), Archive.at(packed), old)
    assert found.missing == {"pillow": ["venom_core/main.py:1"]}


def test_an_index_that_is_not_there_is_no_contradiction(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    source.write(api="fastapi\nuvicorn\n")
    source.index.url = "http://127.0.0.1:9/simple"
    with pytest.raises(
        RefusedError, match=r"required  a package index that answers\nfound     .*127.0.0.1:9"
    ):
        source.lock()


def test_the_chain_goes_the_shortest_way_and_ends_where_nothing_is_known() -> None:
    text = (
        "a==1 \\\n    --hash=sha256:0\n    # via\n    #   -c limits.txt\n    #   b\n    #   c[extra]\n"
        "b==1\n    # via c\n"
        "c[extra]==1\n    # via\n    #   -c limits.txt\n    #   -r base.txt\n"
        "lost==1\n    # via nobody\n"
    )
    assert chain(listed(text), "a") == ["base.txt", "c", "a"]
    assert chain(listed(text), "lost") == ["nobody", "lost"]
