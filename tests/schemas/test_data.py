"""The data files are valid, complete, and say the same as each other and as the documents."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.data.contract import contract
from schemas.data.pins import load as load_pins
from schemas.declared.inventory_schema import filled
from schemas.declared.reference import reference
from schemas.inventory import InventoryError, load
from schemas.plan.host import assumed_hardware, plan_host
from schemas.reading.document import read
from schemas.reading.validate import schema, validate
from tests.schemas.conftest import Host
from tests.ssh_keys import pair

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"


@pytest.mark.parametrize("name", ["inventory", "contract", "pins", "dependencies", "systems"])
def test_the_schemas_are_json_schema_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", ["contract", "pins", "dependencies", "systems"])
def test_the_data_files_are_valid(name: str) -> None:
    document = read(SCHEMAS / "data" / f"{name}.yaml")
    assert document.problems == []
    assert validate(document, schema(name)).problems == []


def test_the_contract_refers_to_itself_only() -> None:
    known = contract()
    for profile in known.profiles.values():
        assert profile.requirements in known.requirements
        assert set(profile.environment) <= set(known.settable())
        assert not set(profile.services) & set(profile.must_not_run)
    for key, sets in known.cloud:
        assert key in known.secret()
        assert set(sets) <= set(known.settable())
    assert known.profile in known.profiles
    assert known.vram_tier in known.vram_tiers


def test_the_inventory_may_say_what_the_contract_has() -> None:
    definitions, known = schema("inventory")["$defs"], contract()
    defaults = {n: r["default"] for n, r in definitions["ports"]["properties"].items()}
    assert defaults == known.ports
    limits = definitions["budgets"]["properties"]
    assert {name: it["default"] for name, it in limits.items() if "default" in it} == known.budgets


def test_the_file_of_the_schema_is_filled_in_from_the_contract() -> None:
    written = (SCHEMAS / "inventory.schema.json").read_text(encoding="utf-8")
    assert written == filled()


def test_a_default_is_a_value_that_the_schema_and_the_pins_accept() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "default" in node:
                Draft202012Validator(node).validate(node["default"])
            for value in node.values():
                walk(value)

    walk(schema("inventory"))
    pins, _ = load_pins()
    assert pins is not None
    assert contract().release in pins.releases
    assert contract().model in pins.weights


def test_what_a_host_gets_that_says_nothing_is_what_the_schema_describes(host: Host) -> None:
    silent, rules = host(), schema("inventory")["$defs"]
    door = rules["door"]["properties"]
    for name in ("arch", "profile", "vram_tier", "model", "ready_timeout", "keep_generations"):
        assert getattr(silent, name) == rules[name]["default"]
    assert silent.source.release == rules["venom"]["properties"]["release"]["default"]
    tier = rules["requirements"]["properties"]["tier"]["default"]
    assert plan_host(silent, assumed_hardware(silent)).requirements.tier == tier
    assert (silent.door.exposure, silent.door.tls) == (door["exposure"]["default"], door["tls"]["default"])
    assert silent.door.runtime_control == (door["runtime_control"]["default"] == "open")
    assert silent.door.firewall == door["firewall"]["default"]
    opened = host("door: {ollama: {allow_from: [192.0.2.0/24]}}").door.ollama
    assert opened
    assert opened.port == door["ollama"]["properties"]["port"]["default"]
    # What contract and schema do not share, the code decides.
    assert silent.source.kind == "git"
    assert rules["venom"]["properties"]["install"]["default"] == "source"
    assert not silent.ollama.by_image
    assert rules["ollama"]["properties"]["install"]["default"] == "binary"


def test_a_setting_without_a_default_in_the_contract_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = replace(contract(), budgets={"chat_seconds": 30})
    monkeypatch.setattr("schemas.declared.inventory_schema.contract", lambda: fewer)
    limits = json.loads(filled())["$defs"]["budgets"]["properties"]
    assert limits["chat_seconds"]["default"] == 30
    assert "default" not in limits["ui_chat_seconds"]


def test_the_pinned_releases_are_commits_of_their_own_with_a_tier_for_every_profile() -> None:
    pins, _ = load_pins()
    assert pins is not None
    known = contract()
    releases = pins.releases.values()
    assert len({it.commit for it in releases}) == len(releases)
    for release in releases:
        for profile in known.profiles.values():
            assert known.requirements[profile.requirements].files_of(release.name)
        # Another Ollama than it names has its reason where the operator reads it.
        assert release.ollama_use == release.ollama_wants or release.ollama_why


def test_groups_and_defaults_may_say_all_that_a_host_may_but_who_it_is() -> None:
    definitions = schema("inventory")["$defs"]
    host, settings = (definitions[name]["properties"] for name in ("host", "settings"))
    assert set(host) - set(settings) == {"address", "groups"}
    assert all(host[name] == rule for name, rule in settings.items())


def test_every_setting_is_described_in_both_languages() -> None:
    def walk(node: Any, at: str) -> None:
        if isinstance(node, dict):
            for name, rule in node.get("properties", {}).items():
                if "$ref" not in rule:
                    assert rule.get("description"), f"{at}.{name}"
                    assert rule.get("x-pl"), f"{at}.{name}"
            for key, value in node.items():
                walk(value, f"{at}.{key}")

    walk(schema("inventory"), "")


def test_every_mapping_refuses_unknown_keys() -> None:
    def walk(node: Any, at: str) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert "additionalProperties" in node, at
            for key, value in node.items():
                walk(value, f"{at}.{key}")

    for name in ("inventory", "contract", "pins", "dependencies", "systems"):
        walk(schema(name), name)


@pytest.mark.parametrize(("language", "file"), [("en", "inventory.md"), ("pl", "inventory.pl.md")])
def test_the_reference_is_in_step_with_the_schema(language: str, file: str) -> None:
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == reference(language)


def test_the_commented_example_is_a_valid_inventory() -> None:
    inventory = load(ROOT / "inventories" / "example.yaml")
    assert [plan_host(h, assumed_hardware(h)).host for h in inventory.hosts] == ["gpu1", "gpu2", "front"]


def test_the_example_shows_every_setting() -> None:
    text = (ROOT / "inventories" / "example.yaml").read_text(encoding="utf-8")
    for name in schema("inventory")["$defs"]["host"]["properties"]:
        assert f"{name}:" in text, name


def test_the_labs_inventory_lacks_nothing_but_the_lab(tmp_path: Path) -> None:
    text = (ROOT / "inventories" / "lab.yaml").read_text(encoding="utf-8")
    lab = tmp_path / "lab"
    (lab / "ssh").mkdir(parents=True)
    (lab / "ssh" / "id_ed25519").write_bytes(pair()[0])
    (lab / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    (lab / "pins.yaml").write_text("weights: {}\n")
    (lab / "images.yaml").write_text("images: {}\n")
    (lab / "venom").mkdir()
    text = text.replace("/var/lib/venom-lab", str(lab)).replace("../lab/venom", str(lab / "venom"))
    path = tmp_path / "fleet.yaml"
    path.write_text(text.replace("/etc/ssl/certs/ca-certificates.crt", str(lab / "ca.crt")))
    (host,) = load(path).hosts
    plan = plan_host(host, assumed_hardware(host))
    assert (plan.host, plan.ssh.address, plan.profile) == ("lab1", "10.77.0.11", "light")
    assert plan.model is not None
    assert plan.model.pull_name == "10.77.0.1:5000/library/gemma3:270m"


def test_the_schemas_import_nothing_of_ours_and_no_pyinfra() -> None:
    script = (
        "import pkgutil, sys, schemas, importlib\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(schemas.__path__, 'schemas.')"
        " if not m.name.endswith('__main__')]\n"
        "ours = {'audit', 'engine', 'fleet', 'roles',"
        "  'deploy', 'lab', 'inventories', 'pyinfra'}\n"
        "print(sorted(ours & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_command_prints_plans_or_every_problem(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "schemas", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    good = run("inventories/example.yaml", "--json")
    assert good.returncode == 0
    assert set(json.loads(good.stdout)) == {"gpu1", "gpu2", "front"}
    path = tmp_path / "bad.yaml"
    path.write_text("hosts: {a: {profile: lihgt, colour: red}}\n")
    bad = run(str(path))
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "2 problems" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_plans_may_be_read_in_part() -> None:
    command = [sys.executable, "-m", "schemas", "inventories/example.yaml"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        assert shown.stdout
        assert shown.stderr
        shown.stdout.close()  # as head does, once it has its lines
        assert shown.stderr.read() == b""


def test_pyinfra_reports_a_bad_inventory_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_bytes((ROOT / "inventories" / "lab.py").read_bytes())
    (tmp_path / "fleet.yaml").write_text("hosts: {a: {profile: lihgt}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", str(tmp_path / "fleet.py"), "exec", "--", "true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert 'did you mean "light"?' in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_fleet_is_reported_by_all_its_problems_not_by_the_first_one() -> None:
    error = InventoryError([])
    assert error.problems == ()
