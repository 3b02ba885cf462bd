"""A host inherits: defaults, then its groups in order, then what it says itself."""

from __future__ import annotations

from pathlib import Path

import yaml

from schemas.data.contract import contract
from schemas.inventory import pyinfra_groups
from tests.schemas.conftest import Load
from tests.ssh_keys import pair

SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_the_closest_place_wins(loaded: Load) -> None:
    hosts = loaded(
        """\
        defaults: {profile: full, ports: {ui: 3100}, model: gemma3:1b}
        groups:
          one: {profile: light, model: gemma3:4b}
          two: {model: gemma3:12b}
        hosts:
          a: {}
          b: {groups: [one]}
          c: {groups: [one, two]}
          d: {groups: [two, one]}
          e: {groups: [one], profile: llm_off, ports: {backend: 8100}}
        """
    )
    resolved = {h.name: (h.profile, h.model, dict(h.ports)) for h in hosts.hosts}
    ports = {"backend": 8000, "ui": 3100, "ollama": 11434, "vllm": 8001}
    assert resolved == {
        "a": ("full", "gemma3:1b", ports),
        "b": ("light", "gemma3:4b", ports),
        "c": ("light", "gemma3:12b", ports),
        "d": ("light", "gemma3:4b", ports),
        "e": ("llm_off", "gemma3:4b", {**ports, "backend": 8100}),
    }


def test_mappings_merge_and_lists_replace(loaded: Load) -> None:
    host = loaded(
        """\
        defaults:
          mirrors: {files: ["http://a.example"], npm: "http://n.example"}
          environment: {OLLAMA_MAX_QUEUE: 9, OLLAMA_LOAD_TIMEOUT: 5m}
        hosts:
          a:
            mirrors: {files: ["http://b.example"]}
            environment: {OLLAMA_MAX_QUEUE: 7}
        """
    ).host("a")
    assert host.mirrors.files == ("http://b.example",)
    assert host.mirrors.npm == "http://n.example"
    assert host.environment == {"OLLAMA_MAX_QUEUE": "7", "OLLAMA_LOAD_TIMEOUT": "5m"}


def test_a_source_is_taken_whole(loaded: Load) -> None:
    inventory = loaded(
        """\
        defaults: {venom: {release: v1.7.0, git: "https://git.example/venom.git"}}
        hosts:
          a: {}
          b: {venom: {release: v1.6.0}}
          c: {venom: {tree: .}}
        """
    )
    sources = [host.source for host in inventory.hosts]
    assert [(s.kind, s.release) for s in sources] == [
        ("git", "v1.7.0"),
        ("git", "v1.6.0"),
        ("tree", "v1.9.0"),
    ]
    assert sources[0].location == "https://git.example/venom.git"
    assert sources[1].location == "https://github.com/mpieniak01/Venom.git"
    assert sources[1].commit == "ad6e8be4d7f62fa5e041a6a2f0b71c0087235c90"
    assert sources[2].commit == ""


def test_paths_are_relative_to_the_inventory(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pair()[0])
    host = loaded("hosts: {a: {ssh: {key: key, known_hosts: ./known}}}\n").host("a")
    assert host.ssh.key == str(tmp_path / "key")
    assert host.ssh.known_hosts == str(tmp_path / "known")


def test_anchors_and_merge_keys_work(loaded: Load) -> None:
    text = "defaults: &d {model: gemma3:1b}\nhosts:\n  a: {<<: *d, profile: full}\n  b:\n"
    host = loaded(text).host("a")
    assert (host.model, host.profile) == ("gemma3:1b", "full")


def test_sudo_is_the_default_for_who_is_named_and_not_root(loaded: Load) -> None:
    text = "hosts:\n  a: {}\n  b: {ssh: {user: me}}\n  c: {ssh: {user: me, sudo: false}}\n"
    assert [host.ssh.sudo for host in loaded(text).hosts] == [None, True, False]


def test_a_commit_that_is_pinned_is_known_by_its_release(loaded: Load) -> None:
    text = "hosts: {a: {venom: {commit: 52e5ad35005dfcb6bad795e3169f9f6b71e60eb0}}}\n"
    assert loaded(text).host("a").source.release == "v1.7.0"


def test_a_newer_release_that_is_pinned_changes_no_host_that_names_none(loaded: Load, tmp_path: Path) -> None:
    own = yaml.safe_load((SCHEMAS / "data/pins.yaml").read_text(encoding="utf-8"))["releases"]
    newer = {**own[contract().release], "commit": "c" * 40}
    (tmp_path / "pins.yaml").write_text(yaml.safe_dump({"releases": {"v99.0.0": newer}}), encoding="utf-8")
    image = f"registry.example.org/venom@sha256:{'d' * 64}"
    hosts = {
        "silent": {},
        "source": {"venom": {"git": "https://git.example.org/venom.git"}},
        "tree": {"venom": {"tree": str(tmp_path)}},
        "commit": {"venom": {"commit": "e" * 40}},
        "image": {"venom": {"install": "image", "images": {"backend": image, "frontend": image}}},
    }
    text = yaml.safe_dump({"pins": ["pins.yaml"], "hosts": hosts})
    inventory = loaded(text)
    assert {host.source.release for host in inventory.hosts} == {contract().release}
    assert inventory.host("silent").source.commit == own[contract().release]["commit"]
    naming = loaded(text.replace("silent: {}", "silent: {venom: {release: v99.0.0}}")).host("silent")
    assert naming.source.commit == "c" * 40


def test_pyinfra_gets_hosts_with_their_data_and_groups(loaded: Load) -> None:
    inventory = loaded(
        """\
        groups: {gpu: {}, empty: {}}
        hosts:
          a: {address: 192.0.2.1, groups: [gpu], ssh: {user: me, port: 2222}}
          here: {address: "@local", groups: [gpu]}
        """
    )
    groups = pyinfra_groups(inventory)
    assert groups["gpu"] == ["@venom/a", "@venom-local"]
    assert groups["empty"] == []
    (name, data), (local, local_data) = groups["hosts"]
    assert (name, local) == ("@venom/a", "@venom-local")
    assert data["declared"] is inventory.host("a")
    assert {key: value for key, value in data.items() if key != "declared"} == {
        "_sudo": True,
    }
    assert set(local_data) == {"declared"}


def test_a_file_of_pins_adds_to_the_products_own(loaded: Load, tmp_path: Path) -> None:
    digest = "c" * 64
    (tmp_path / "pins.yaml").write_text(
        f"""\
artifacts:
  node:
    22.0.1: {{amd64: {{url: "https://x.example/n.tar.xz", sha256: {digest}}}}}
releases:
  v1.9.0: {{node: {{use: 22.0.1}}}}
weights:
  gemma3:270m: {{manifest: {digest}}}
"""
    )
    pins = loaded("pins: [pins.yaml]\nhosts: {a: {model: gemma3:270m}}\n").host("a").pins
    assert pins.releases["v1.9.0"].node_use == "22.0.1"
    assert pins.releases["v1.9.0"].python_use == "3.12.14"
    assert pins.weights["gemma3:270m"].manifest == digest
    assert pins.weights["gemma3:270m"].layers == 18
