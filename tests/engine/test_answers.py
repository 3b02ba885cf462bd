"""Whatever a host answers, it is understood or refused in our words: never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answers import understood
from engine.jobs import Job
from engine.observation import Observed, read
from engine.progress import Pace, Status, line
from engine.refusal import RefusedError
from engine.rollback import read_generations
from roles.development.tree import findings, other_requirements
from roles.development.tree import parse as tree_in
from roles.migration.installation import Installation
from roles.packing import sbom
from roles.packing.summary import records_in
from roles.preflight import checks, facts
from roles.removal.deploy import read_found
from roles.status.report import report
from roles.status.state import HostState
from roles.status.table import table
from roles.verification import inside
from roles.verification.measuring import measured
from tests.engine.test_observation import answer, question
from tests.roles.plans import components_of, plan
from tests.roles.states import GENERATION, answer_of_status, desired
from tests.roles.test_development import TREE, WORK
from tests.roles.test_figures import NAMES, SAID
from tests.roles.test_preflight import PROBE


def looked() -> str:
    """What the look says of this machine, by the scripts that are sent to hosts, and of what it has not."""
    wanted = question(
        paths=["/etc/passwd", "/etc", "/bin/sh", "/etc/nothing"],
        folders=["/etc/systemd"],
        env_files=["/etc/environment"],
        users=["root", "nobody-of-this-name"],
        packages=["dpkg"],
    )
    lines = answer(wanted).splitlines()
    rest = json.loads(next(it for it in lines if it.startswith("rest=")).removeprefix("rest="))
    rest["certificates"] = {"/etc/passwd": {"days": "30", "fingerprint": "AA:BB"}}
    rest["receipt"] = {"generation": "g1", **GENERATION.record}
    unit = ["unit=ActiveState=active", "unit=FragmentPath=/etc/systemd/system/a.service"]
    lines_of_shell = [it for it in lines if not it.startswith("rest=")]
    return "\n".join([*lines_of_shell[:-1], *unit, f"rest={json.dumps(rest)}", lines_of_shell[-1]])


def observed(text: str) -> None:
    it = read(text.splitlines(), ["a.service"])
    Job("j", "J", "k", "/etc/passwd", "", digest="d", expires="/c.pem").differs(it)
    GENERATION.differs(it)
    GENERATION.unproven(it)
    it.foreign("a.service")


def status_read(text: str) -> None:
    it = HostState.of(text)
    table(report("box", "192.0.2.1", state=it, observed=Observed(), desired=desired(), errors=[]))


def probed(text: str) -> None:
    it = facts.parse(text)
    checks.host_findings(it, 1795305600.0)
    checks.plan_findings(plan(), components_of(plan()), it, ())


def watched(text: str) -> None:
    line("Job", Status.of(text), Pace())


def treed(text: str) -> None:
    it = tree_in(text)
    findings(WORK, it)
    other_requirements(it, {"requirements.txt": ""})


def insided(text: str) -> None:
    it = inside.inside(text)
    for check in (*inside.model(plan(), it), inside.without_docker(it), inside.without_onnx(plan(), it)):
        assert check.result


INSIDE = {
    "health": {"venom-backend.service": {"status": 200, "error": "", "seconds": 0.02}},
    "modules": {"processes": 2, "installed": [], "loaded": []},
    "containers": {"programs": [], "sockets": [], "open_to_backend": [], "docker_host": False},
    "listening": ["127.0.0.1:8000", "[::1]:11434", "*:22"],
    "runtimes": ["ollama (process 1)"],
    "tags": {"models": [{"name": "gemma3:270m", "digest": "sha256:abc"}]},
    "ps": {"models": [{"name": "gemma3:270m", "size": 1, "size_vram": 0}]},
    "vllm": None,
}
OLD = {
    "tree": "/home/ada/Venom",
    "there": True,
    "host": "box",
    "version": "1.6.0",
    "commit": "",
    "remote": "",
    "changed": 0,
    "files": {".env": {"values": {"A": "1"}, "example": {"A": ""}, "secrets": ["B_KEY"]}},
    "compose": {"compose.yml": {"8000": 8000}},
    "volumes": ["v"],
    "processes": [{"kind": "backend", "pid": 7, "port": 8000}],
    "units": {"venom": "active"},
    "data": [{"path": "data", "bytes": 1, "files": 1, "old": 0}],
    "packages": ["torch"],
}
KEPT = [
    {
        **{"key": "g1", "name": "Venom", "release": "v1.9.0", "at": "2026-11-21T20:11:40Z"},
        **{"current": True, "data": ""},
    }
]
NPM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "components": [{"type": "library", "name": "next", "version": "15.0.0", "purl": "pkg:npm/next@15.0.0"}],
}
WATCH = "state=active\nstep=download\nstep_seconds=3\nseconds=4\nfetched=10\nunit=bytes\nhave=5\nwant=10\n"
SEE = "uid=0\nmarked=yes\npython=yes\nlog=/var/log/x\npackage=curl\nsize=4096 /var/lib/venom\n"
PARSERS: dict[str, tuple[Callable[[str], object], str]] = {
    "look": (observed, looked()),
    "status": (status_read, json.dumps(answer_of_status())),
    "probe": (probed, PROBE),
    "reach": (facts.silent, "10.0.0.1 443\nmirror.example 80\n"),
    "job": (watched, WATCH),
    "tree": (treed, TREE),
    "removal": (read_found, SEE),
    "migration": (Installation.of, json.dumps(OLD)),
    "generations": (read_generations, json.dumps(KEPT)),
    "inside": (insided, json.dumps(INSIDE)),
    "measure": (
        lambda text: measured(text, {}, NAMES),
        json.dumps({**SAID, "release": "v1.9.0", "profile": "light"}),
    ),
    "records": (records_in, '/a {"digest": "sha256:1"}\n/b \n'),
    "npm": (sbom.of_npm, json.dumps(NPM)),
    "debian": (lambda text: sbom.of_debian(text, "debian-12"), "curl\t7.88.1\tamd64\n"),
}

NOISE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["hello from .bashrc\n", "\x1b[31m", "\0", "{", "]", "NaN", "null", "-1", "1e999", "\ufffd"]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def spoiled(draw: st.DrawFn, real: str) -> str:
    """A real answer, cut, with noise within, or with another value somewhere in its data."""
    if real.startswith(("{", "[")) and draw(st.booleans()):
        return json.dumps(_elsewhere(draw, json.loads(real)))
    begin = draw(st.integers(0, len(real)))
    end = draw(st.integers(begin, len(real)))
    return real[:begin] + draw(NOISE) + real[end:]


def _elsewhere(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 9)):
            return {name: it for name, it in value.items() if name != key}
        return {**value, key: _elsewhere(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _elsewhere(draw, value[index]), *value[index + 1 :]]
    return draw(VALUES)


@pytest.mark.parametrize("name", list(PARSERS))
def test_a_real_answer_is_understood(name: str) -> None:
    parse, real = PARSERS[name]
    understood("what it is", real, parse)


@pytest.mark.parametrize("name", list(PARSERS))
@settings(max_examples=150, deadline=None)
@given(choices=st.data())
def test_any_answer_is_understood_or_refused(name: str, choices: st.DataObject) -> None:
    parse, real = PARSERS[name]
    answer = choices.draw(st.one_of(NOISE, spoiled(real)))
    findings = None
    try:
        understood("what it is", answer, parse)
    except RefusedError as refusal:
        findings = refusal.findings
    assert findings is None or (findings and all(it.requirement and it.found for it in findings))
