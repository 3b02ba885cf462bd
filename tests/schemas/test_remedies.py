"""Remedies in the inventory's own terms, for people who come from elsewhere; and none of them misleads."""

from __future__ import annotations

import os
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings

from schemas.inventory import InventoryError, load
from schemas.reading.document import flow, shown
from schemas.reading.problem import Problem
from tests.schemas.test_whatever import inventories

# What people write, as one line of a host: from Ansible, compose files, Kubernetes, Ollama, .env files, and
# by a slip. And the remedy, or a part of it.
WRITTEN = {
    "ansible_host: 192.0.2.7": "write address: 192.0.2.7",
    "ansible_user: ada": "write ssh: {user: ada}",
    "ansible_port: 2222": "write ssh: {port: 2222}",
    "ansible_ssh_private_key_file: key": "write ssh: {key: key}",
    "ansible_become: true": "write ssh: {sudo: true}",
    "ansible_password: hunter2": "a password is not taken",
    "ansible_connection: local": "'@local' is this very machine",
    "become: yes": "write ssh: {sudo: true}",
    "vars: {model: auto}": "settings stand in the host itself",
    "hostname: 192.0.2.7": "write address: 192.0.2.7",
    "port: 2222": "write ssh: {port: 2222}",
    "ssh_user: ada": "write ssh: {user: ada}",
    "ssh: ada@192.0.2.7": "write address: 192.0.2.7, ssh: {user: ada}",
    "ssh: {host: 192.0.2.7}": "write address: 192.0.2.7",
    "ssh: {user: ada@192.0.2.7}": "write address: 192.0.2.7, ssh: {user: ada}",
    "ssh: {private_key: key}": "write ssh: {key: key}",
    'ssh: {sudo: "yes"}': "write true without quotes",
    'ssh: {port: "22"}': "write 22 without quotes",
    "ssh: {port: 022}": "write 22",
    "address: ada@192.0.2.7": "write address: 192.0.2.7, ssh: {user: ada}",
    "address: 192.0.2.7:2222": "write address: 192.0.2.7, ssh: {port: 2222}",
    "address: ssh://ada@192.0.2.7:2222": "write address: 192.0.2.7, ssh: {user: ada, port: 2222}",
    "x-common: {model: auto}": "what hosts share goes under defaults",
    "image: venom:latest": "profile says what runs",
    "services: {web: {}}": "profile says what runs",
    'volumes: ["data:/data"]': "profile says what runs",
    "env_file: .env": "its secrets under secrets",
    "env: {OLLAMA_MAX_QUEUE: 3}": "write environment: {OLLAMA_MAX_QUEUE: 3}",
    "environment: [OLLAMA_MAX_QUEUE=3]": "write {OLLAMA_MAX_QUEUE: '3'}",
    "environment: [OLLAMA_MAX_QUEUE: 3]": "write {OLLAMA_MAX_QUEUE: 3}",
    "environment: [OPENAI_API_KEY=hunter2]": "secrets go under secrets",
    "environment: {OLLAMA_MODELS: /data}": "weights lie in /var/lib/ollama",
    'environment: {OLLAMA_ORIGINS: "*"}': "door.ollama says who else may ask it",
    "environment: {HTTPS_PROXY: http://proxy:3128}": "write proxy: {url: …}",
    "environment: {no_proxy: localhost}": "write proxy: {url: …}",
    "environment: {PIP_INDEX_URL: https://pypi.example.org/simple}": "write mirrors: {pypi: ",
    "environment: {API_PORT: 8080}": "write ports: {backend: 8080}",
    "environment: {OLLAMA_MAX_QEUE: 3}": 'did you mean "OLLAMA_MAX_QUEUE"?',
    "environment: {OLLAMA_MODLE: x}": "OLLAMA_MODEL is no setting of its own: model decides it",
    "env: {OPENAI_API_KEY: hunter2}": "the setting for that is environment",
    'ports: ["3000:3000"]': "name each, as {backend: 8000",
    'ports: {ui: "3000:3000"}': "write 3000",
    "ports: {ui: 03000}": "write 3000",
    "ports: {ui: 0x0bb8}": "write 3000",
    "ports: {ui: 3000.0}": "write 3000",
    "ports: {web: 3000}": "write ports: {ui: 3000}",
    "model: gemma3": 'did you mean "gemma3:4b"?',
    "model: gemma3:latest": 'did you mean "gemma3:4b"?',
    "model: google/gemma-3-12b-it": 'did you mean "gemma3:12b"?',
    "model: hf.co/unsloth/gemma-3-4b-it-GGUF:Q4_K_M": 'did you mean "gemma3:4b"?',
    "model: [gemma3:4b]": "write gemma3:4b",
    "model: off": "write profile: llm_off",
    "model: none": "write profile: llm_off",
    "release: v1.9.0": "write venom: {release: v1.9.0}",
    "venom: {version: v1.9.0}": "write venom: {release: v1.9.0}",
    "venom: {release: 1.9}": "YAML reads 1.9 as a number: write v1.9.0",
    "venom: {release: 1.9.0}": "write v1.9.0",
    "venom: {release: latest}": "write v1.9.0",
    "venom: {release: main}": "a branch moves",
    "venom: {branch: main}": "a branch moves",
    "venom: {commit: 62ce167}": "git rev-parse 62ce167",
    "venom: {commit: 62CE167A1FF881110B6B00745AF6AE5E2A2297AD}": "write 62ce167a1ff8",
    "venom: v1.9.0": 'write {release: "v1.9.0"}',
    "ollama: {version: 0.24}": 'YAML reads 0.24 as a number: write "0.24.0"',
    "ollama: {version: v0.24.0}": 'write "0.24.0"',
    "ollama: {version: latest}": 'write "0.32.15"',
    "node: 24": 'write {version: "24.21.0"}',
    "python: {version: 3.10}": "YAML reads 3.10 as the number 3.1: take one that is pinned",
    "profile: off": "YAML reads off as a boolean: write llm_off",
    "profile: gpu": "write light",
    "profile: [light]": "write light",
    "vram_tier: 12": "write balanced-12-24gb",
    "vram_tier: 8GB": "write low-vram-8-12gb",
    "vram_tier: low": "write low-vram-8-12gb",
    "vram_tier: none": "write auto",
    "arch: x86_64": "write amd64",
    "door: {exposure: public}": "allow_from: the networks that may come in",
    "door: {exposure: lan, allow_from: 192.168.1.0/24}": "write a list: [192.168.1.0/24]",
    "door: {exposure: lan, allow_from: [192.168.1.5/24]}": "did you mean 192.168.1.0/24?",
    "door: {tls: true}": "write self-made",
    "door: {tls: letsencrypt}": "own, with certificate and key",
    "mirrors: {pip: https://pypi.example.org/simple}": "write mirrors: {pypi: ",
    "mirrors: {pypi: pypi.example.org/simple}": "write https://pypi.example.org/simple",
    "mirrors: https://files.example.org": "write {files: [https://files.example.org]}",
    "ready_timeout: 5m": "write 300",
    'keep_generations: "3"': "write 3 without quotes",
    "requirements: {add: pillow}": "write a list: [pillow]",
    "requirements: api": 'write {tier: "api"}',
    "requirements: requirements.txt": "",
    "ca_bundle: true": "the path of a PEM file",
    "secrets: {OPENAI_API_KEY: $OPENAI_API_KEY}": "write env:OPENAI_API_KEY",
    "secrets: {OPENAI_API_KEY: '${OPENAI_API_KEY}'}": "write env:OPENAI_API_KEY",
    "secrets: {OPENAI_API_KEY: {env: OPENAI_API_KEY}}": "write env:OPENAI_API_KEY",
    "secrets: {OPENAI_API_KEY: \"{{ lookup('env', 'OPENAI_API_KEY') }}\"}": "write env:OPENAI_API_KEY",
    "secrets: {OPENAI_API_KEY: hunter2}": "name that, file:PATH",
    "door: {users: {ada: hunter2}}": "name that, file:PATH",
}
ENVIRONMENT = {"OPENAI_API_KEY": "set"}

# What `ssh.key` may name.
_KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

_MEANT = re.compile(r'did you mean "?(?P<word>[^"?]+)"?\?')
_WRITE = re.compile(r"(?:YAML reads .*: )?write (?:a list: )?(?P<text>.+?)(?: without quotes)?")


def _problems(data: Any, folder: Path) -> list[Problem]:
    path = folder / "fleet.yaml"
    (folder / "key").write_bytes(_KEY)
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    try:
        load(path, ENVIRONMENT)
    except InventoryError as error:
        return list(error.problems)
    return []


def _of(line: str) -> str:
    address = "" if line.startswith(("address", "ansible_host", "hostname")) else "    address: 192.0.2.1\n"
    return f"hosts:\n  box:\n{address}    {line}\n"


def _followed(text: str, problem: Problem) -> Any | None:
    """The inventory as it is once somebody does what a problem says; None where that takes a thought."""
    data = yaml.load(text, yaml.BaseLoader)  # text only: what YAML would make of it is not wanted here
    keys = re.findall(r"[^.\[\]]+", problem.path)
    around: Any = data
    for key in keys[:-1]:
        around = around[int(key) if key.isdigit() else key]
    last: Any = int(keys[-1]) if keys[-1].isdigit() else keys[-1]
    meant, write = _MEANT.fullmatch(problem.hint), _WRITE.fullmatch(problem.hint)
    if meant and problem.found.startswith(("the key", "the name")):
        around[meant["word"]] = around.pop(last)
    elif meant:
        around[last] = meant["word"]
    elif write and re.match(r"[a-z_]+: ", write["text"]):
        del around[last]
        section = data["hosts"]["box"]
        if keys[2:-1] and not around:
            del section[keys[2]]
        for name, value in yaml.safe_load(f"{{{write['text']}}}").items():
            section[name] = value
    elif write and "{NAME" not in problem.hint:
        around[last] = yaml.safe_load(write["text"])
    elif problem.hint.startswith("remove it"):
        del around[last]
    else:
        return None
    return _typed(data)


def _typed(data: Any) -> Any:
    """Text as YAML reads it where that is no trap: the rest of the line stays as it was."""
    if isinstance(data, dict):
        return {key: _typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_typed(it) for it in data]
    return data


@pytest.mark.parametrize("line", WRITTEN)
def test_what_is_written_elsewhere_gets_a_remedy_in_the_inventorys_terms(line: str, tmp_path: Path) -> None:
    (problem,) = _problems(_of(line), tmp_path)
    assert WRITTEN[line] in problem.hint
    assert bool(WRITTEN[line]) == bool(problem.hint)
    assert "hunter" not in str(problem)


@pytest.mark.parametrize("line", WRITTEN)
def test_who_does_what_a_remedy_says_is_not_refused_again(line: str, tmp_path: Path) -> None:
    (problem,) = _problems(_of(line), tmp_path)
    followed = _followed(_of(line), problem)
    assert (followed is None) == (not problem.hint.startswith(("write", "did", "YAML", "remove"))) or (
        "take one" in problem.hint or "{NAME" in problem.hint
    )
    if followed is not None:
        assert _problems(deepcopy(followed), tmp_path) == [], flow(followed)


def test_the_test_above_follows_most_remedies(tmp_path: Path) -> None:
    followed = [it for it in WRITTEN if _followed(_of(it), _problems(_of(it), tmp_path)[0]) is not None]
    assert len(followed) > len(WRITTEN) * 0.7


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x-common: &c {model: auto}\nhosts: {box: {<<: *c}}\n", "what hosts share goes under defaults"),
        ("vars: {model: auto}\nhosts: {box: {}}\n", "what hosts share goes under defaults"),
        ("version: '3'\nhosts: {box: {}}\n", "deploy/migration.py reads an older installation"),
        ("all: {hosts: {box: {}}}\n", "each host is a key under hosts"),
        ("hosts: [box]\n", "each host is a key under hosts"),
        ("[all]\nbox ansible_host=192.0.2.1\n", "an inventory is YAML"),
        ("groups: {desks: [box]}\nhosts: {box: {}}\n", "a host names its groups"),
        ("groups: {desks: {hosts: {box: }}}\nhosts: {box: {}}\n", "a host names its groups"),
        ("defaults: {groups: [desks]}\nhosts: {box: {}}\n", "a host names its groups"),
        ("pins: own.yaml\nhosts: {box: {}}\n", "write a list: [own.yaml]"),
        ("hosts: {box: 192.0.2.1}\n", "each host is a key under hosts"),
        ("default: {model: auto}\nhosts: {box: {}}\n", 'did you mean "defaults"?'),
    ],
)
def test_who_writes_for_another_tool_reads_how_this_one_looks(text: str, hint: str, tmp_path: Path) -> None:
    assert any(hint in it.hint for it in _problems(text, tmp_path))


@pytest.mark.parametrize("release", ["v1.4.0", "v1.8.0", "v1.9.1", "v2.0.0"])
def test_a_release_that_may_exist_but_is_not_pinned_is_no_misspelt_one(release: str, tmp_path: Path) -> None:
    (problem,) = _problems(_of(f"venom: {{release: {release}}}"), tmp_path)
    assert "it is not pinned" in problem.hint
    assert "did you mean" not in problem.hint


@pytest.mark.parametrize("model", ["llama3.2", "llama3.2:3b", "gemma2:9b", "gemma3n:e4b", "qwen3:4b"])
def test_another_model_is_not_taken_for_a_misspelt_gemma_3(model: str, tmp_path: Path) -> None:
    (problem,) = _problems(_of(f"model: {model}"), tmp_path)
    assert problem.hint == "another tag needs its digests under weights in a file of pins"


@pytest.mark.parametrize("name", ["OLLAMA_DEBUG", "OLLAMA_LLM_LIBRARY", "PATH", "HOME"])
def test_a_variable_that_only_begins_like_another_is_not_taken_for_it(name: str, tmp_path: Path) -> None:
    (problem,) = _problems(_of(f"environment: {{{name}: x}}"), tmp_path)
    assert problem.hint == ""


@pytest.mark.parametrize(
    "address", ["gpu1.example.org", "192.0.2.1", "fd00::1", "::1", "fe80::1%eth0", "@local"]
)
def test_every_kind_of_address_is_one(address: str, tmp_path: Path) -> None:
    assert _problems(f'hosts: {{box: {{address: "{address}"}}}}\n', tmp_path) == []


def test_what_nobody_can_type_is_part_of_no_advice(tmp_path: Path) -> None:
    (problem,) = _problems('hosts: {box: {mirrors: {pypi: "\\x80"}}}\n', tmp_path)
    assert problem.hint == ""
    (problem,) = _problems("hosts: {box: {mirrors: {pypi: pypi.example.org}}}\n", tmp_path)
    assert problem.hint == "write https://pypi.example.org"


@settings(
    max_examples=int(os.environ.get("VENOM_EXAMPLES", "30")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=inventories)
def test_whatever_is_wrong_a_word_that_is_advised_is_not_refused_where_it_stands(
    data: Any, tmp_path: Path
) -> None:
    text = yaml.safe_dump(data)
    for problem in _problems(text, tmp_path):
        if _MEANT.fullmatch(problem.hint) and not problem.found.startswith(("the key", "the name")):
            word = _MEANT.fullmatch(problem.hint)["word"]  # type: ignore[index]
        elif (write := _WRITE.fullmatch(problem.hint)) and not re.match(r"[a-z_]+: ", write["text"]):
            word = yaml.safe_load(write["text"])
        else:
            continue
        if not re.fullmatch(r"hosts\.[a-c](\.[a-z_]+)+", problem.path):
            continue  # names of hosts with dots in them, and lists
        changed = yaml.safe_load(text)
        around = changed
        *way, last = problem.path.split(".")
        for key in way:
            around = around[key]
        around[last] = word
        again = [it for it in _problems(changed, tmp_path) if it.path == problem.path]
        assert all(it.found != shown(word) for it in again), (problem.hint, *map(str, again))
