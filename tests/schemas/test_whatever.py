"""Whatever an inventory holds: a plan, or clean problems; never another exception."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.data.contract import contract
from schemas.declared.host import DeclaredHost
from schemas.hardware import Gpu, Hardware
from schemas.inventory import load
from schemas.plan.host import describe, plan_host, to_dict
from schemas.plan.memory import GIB
from schemas.reading.problem import Problem, ProblemsError
from schemas.reading.validate import schema

T = TypeVar("T")

_quick = settings(
    max_examples=int(os.environ.get("VENOM_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_definitions = schema("inventory")["$defs"]


def _words(node: Any) -> set[str]:
    """Every name and value that the schema knows: what a careless author mixes up."""
    found: set[str] = set()
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                found |= set(value)
            if key in ("enum", "examples"):
                found |= {v for v in value if isinstance(v, str)}
            found |= _words(value)
    elif isinstance(node, list):
        for item in node:
            found |= _words(item)
    return found


_known = sorted(_words(schema("inventory")) | set(contract().variables) | {"env:HOME", "file:."})
_word = st.sampled_from(_known) | st.text(max_size=8)
_scalar = st.none() | st.booleans() | st.integers() | st.floats() | _word
_anything = st.recursive(
    _scalar, lambda s: st.lists(s, max_size=3) | st.dictionaries(_word, s, max_size=4), max_leaves=12
)


def _of(rule: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema allows, mostly; sometimes anything."""
    if "$ref" in rule:
        rule = {**_definitions[rule["$ref"].rsplit("/", 1)[-1]], **rule}
    if "enum" in rule:
        return st.sampled_from(rule["enum"]) | _scalar
    kind, examples = rule.get("type"), rule.get("examples", [])
    known = [*examples, *([rule["default"]] if "default" in rule else [])]
    result = (st.sampled_from(known) | _word) if known else _word
    if "properties" in rule:
        inner = {name: _of(one) for name, one in rule["properties"].items()}
        result = st.fixed_dictionaries({}, optional=inner)
    elif kind == "object":
        result = st.dictionaries(_word, _scalar, max_size=3) | st.sampled_from(examples)
    elif kind == "array":
        result = st.lists(_of(rule["items"]), max_size=3)
    elif kind == "integer":
        result = st.integers(rule.get("minimum", 0), rule.get("maximum", 2**40)) | _scalar
    elif kind == "boolean":
        result = st.booleans() | _scalar
    return result


_settings = _of({"$ref": "#/$defs/settings"})
inventories = st.fixed_dictionaries(
    {
        "hosts": st.dictionaries(
            st.sampled_from(["a", "b", "c"]) | _word, _of({"$ref": "#/$defs/host"}), max_size=3
        )
    },
    optional={
        "defaults": _settings,
        "groups": st.dictionaries(st.sampled_from(["g", "h"]), _settings, max_size=2),
        "pins": st.lists(_word, max_size=1),
    },
)
_sizes = st.integers(0, 200 * GIB)
_hardware = st.builds(
    Hardware,
    arch=st.sampled_from(["amd64", "arm64", "riscv64"]),
    python=st.sampled_from(["", "3.11.2", "3.12.3", "3.13.5", "3.12.0rc1", "three"]),
    memory_bytes=_sizes,
    gpus=st.lists(
        st.builds(
            Gpu,
            vendor=st.sampled_from(["nvidia", "amd"]),
            name=st.just("card"),
            vram_bytes=_sizes,
            driver=st.just(""),
            compute_capability=st.just(""),
        ),
        max_size=2,
    ).map(tuple),
)


def _plans_or_problems(path: Path, hardware: Hardware) -> None:
    inventory, problems = _tried(lambda: load(path, {}))
    assert inventory is not None or problems
    for host in inventory.hosts if inventory else ():
        _plan_or_problems(host, hardware)


def _plan_or_problems(host: DeclaredHost, hardware: Hardware) -> None:
    plan, problems = _tried(lambda: plan_host(host, hardware))
    if plan is None:
        assert problems
        return
    assert to_dict(plan)["host"] == host.name
    describe(plan).encode()
    for env in (plan.backend.env_file, plan.backend.process_env, plan.ui.build_env):
        assert all("\n" not in value for value in env.values())
    if plan.ollama:
        assert int(plan.ollama.env["OLLAMA_CONTEXT_LENGTH"]) > 0
        assert int(plan.ollama.env["OLLAMA_MAX_QUEUE"]) > 0


def _tried(make: Callable[[], T]) -> tuple[T | None, tuple[Problem, ...]]:
    """What is made, or the problems. Any other exception is what these tests are about."""
    try:
        return make(), ()
    except ProblemsError as error:
        str(error).encode()
        return None, error.problems


@_quick
@given(data=st.binary(max_size=200), hardware=_hardware)
def test_any_bytes_are_an_inventory_or_problems(tmp_path: Path, data: bytes, hardware: Hardware) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(data)
    _plans_or_problems(path, hardware)


@_quick
@given(text=st.text(st.sampled_from("ab:-{}[],&*!|>%@`'\"\\#?\t\n ~<0.1e\u2028\x85"), max_size=60))
def test_any_yaml_like_text_is_an_inventory_or_problems(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"hosts: {{a: {{}}}}\nx: {text}", encoding="utf-8", newline="")
    _plans_or_problems(path, Hardware("amd64", "", 0, ()))


@_quick
@given(data=_anything, hardware=_hardware)
def test_any_structure_is_an_inventory_or_problems(tmp_path: Path, data: Any, hardware: Hardware) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    _plans_or_problems(path, hardware)


@_quick
@given(data=inventories, hardware=_hardware)
def test_anything_like_an_inventory_is_one_or_problems(tmp_path: Path, data: Any, hardware: Hardware) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    _plans_or_problems(path, hardware)


@_quick
@given(
    profile=st.sampled_from(["light", "llm_off", "full"]),
    tier=st.sampled_from([*contract().vram_tiers, "auto"]),
    model=st.sampled_from([f"gemma3:{s}" for s in ("270m", "1b", "4b", "12b", "27b")] + ["auto"]),
    release=st.sampled_from(["v1.5.0", "v1.6.0", "v1.7.0", "v1.9.0"]),
    hardware=_hardware,
)
def test_any_sound_choice_gives_a_plan_or_says_what_would_fit(
    tmp_path: Path, profile: str, tier: str, model: str, release: str, hardware: Hardware
) -> None:
    path = tmp_path / "fleet.yaml"
    host = {"profile": profile, "vram_tier": tier, "model": model, "venom": {"release": release}}
    path.write_text(yaml.safe_dump({"hosts": {"a": host}}))
    inventory, problems = _tried(lambda: load(path, {}))
    assert all("the largest that fits" in problem.hint for problem in problems)
    for one in inventory.hosts if inventory else ():
        _plan_or_problems(one, hardware)
