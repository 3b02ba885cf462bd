"""vLLM beside Ollama: installed, proven, started by Venom's user, taken back, gone with its profile, removed.

No card of the lab computes, and vLLM's packages do not run without one: the host says that it has a card, and
the packages are the stand-in of `lab/vllm`, from an index of this file's own. All else is the product's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import network
from lab.hosts import Host
from lab.state import REPOSITORY
from roles.verification import acceptance
from tests.lab import provisioning, visitor
from tests.lab.mirror import mirror
from tests.lab.provisioning import Result
from tests.lab.serving import Serving
from tests.roles.package_index import Index, index

_CARD = "#!/bin/sh\necho 'NVIDIA GeForce RTX 3060, 12288, %s, 8.6, [N/A]'\n"
_LISTENER = """
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8001, Listen => 5) or die $!;
while (my $client = $socket->accept) { close $client }
"""
_MODEL, _COMMIT = "lab/gemma-stand-in", "0123456789abcdef0123456789abcdef01234567"
_FILES = {"config.json": b'{"model_type": "none"}', "weights/model.safetensors": b"no weights\n" * 300_000}
_API = "http://127.0.0.1:8001"
_UNIT = "vllm.service"
_TREES = "/opt/venom/trees"
_BROKEN = "no kernel image is available for execution on the device"
_THEIRS = "[Service]\nExecStart=/bin/sleep infinity\n"
_GONE = (
    *("/etc/systemd/system/vllm.service", "/etc/polkit-1/rules.d/50-venom-vllm.rules"),
    *("/opt/venom/tools/vllm", "/var/cache/venom-vllm", "/var/cache/private/venom-vllm"),
)
_HUB = f"huggingface.co/{_MODEL}/resolve/{_COMMIT}"


@dataclass
class Bench:
    """A host with a card, and what its files and packages come from."""

    host: Host
    serving: Serving
    folder: Path
    index: Index
    files: str  # a mirror's URL
    damaged: bool = False  # whether that sends other bytes than its large file has
    version: str = "0.11.0"

    def run(self, *arguments: str, deploy: str = "deploy/venom.py", **settings: Any) -> Result:
        """Run with vLLM beside Ollama, or with these settings instead."""
        own = {
            "profile": "full",
            "engines": {"vllm": {"model": _MODEL}},
            "gpu": {"spill": "allow"},
            **settings,
        }
        declared = self.serving.of_light(**{key: it for key, it in own.items() if it is not None})
        declared["pins"] = [*declared["pins"], str(self._pins())]
        mirrors = declared["defaults"]["mirrors"]
        declared["hosts"]["light"]["mirrors"] = {
            **mirrors,
            "files": [self.files, *mirrors["files"]],
            "pypi": self.index.url,
        }
        return provisioning.run(provisioning.inventory(self.folder, declared), *arguments, deploy=deploy)

    def _pins(self) -> Path:
        files = {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in _FILES.items()
        }
        tree = {"commit": _COMMIT, "kv_bytes_per_token": 65536, "files": files}
        vllm = {"version": self.version, "requires": [f"vllm=={self.version}"], "bytes": 10_000_000}
        path = self.folder / "vllm.yaml"
        path.write_text(
            yaml.safe_dump({"engines": {"vllm": vllm}, "trees": {_MODEL: tree}}), encoding="utf-8"
        )
        return path

    def as_venom(self, verb: str, unit: str) -> str:
        """What systemd answers to Venom's user, in the sandbox of the backend."""
        closed = " ".join(
            f"--property={it}"
            for it in (
                *("User=venom", "PrivateUsers=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet="),
                *(
                    "ProtectSystem=strict",
                    "ReadOnlyPaths=/run",
                    "RestrictAddressFamilies=AF_UNIX",
                    "ProtectProc=invisible",
                ),
            )
        )
        line = f"systemd-run --quiet --wait --pipe {closed} systemctl --no-ask-password {verb} {unit} 2>&1"
        return self.host.run(line, check=False).stdout.strip()

    def without(self, **settings: Any) -> Result:
        """Run with the same host as profile light."""
        return self.run(profile=None, engines=None, **settings)

    def active(self, unit: str = _UNIT) -> str:
        return self.host.run(f"systemctl is-active {unit}", check=False).stdout.strip()


@pytest.fixture(scope="module")
def bench(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("vllm")
    made: list[Bench] = []

    def answers(path: str) -> bytes | None:
        content = _FILES.get(path.partition(f"/{_HUB}/")[2])
        return b"other bytes" if content and len(content) > 1000 and made[0].damaged else content

    with ExitStack() as stack:
        published = stack.enter_context(index(str(network.GATEWAY)))
        files = {
            f"vllm/{it.name}": it.read_text(encoding="utf-8") for it in (REPOSITORY / "lab/vllm").glob("*.py")
        }
        files["DIST-INFO/entry_points.txt"] = "[console_scripts]\nvllm = vllm.server:main\n"
        published.publish("vllm", "0.11.0", files=files)
        # Of a torch for another card.
        broken = {"vllm/server.py": f"def main():\n    raise RuntimeError({_BROKEN!r})\n"}
        published.publish("vllm", "0.11.1", files={**files, **broken})
        made.append(Bench(serving.light, serving, folder, published, stack.enter_context(mirror(answers))))
        serving.light.put(_CARD % "550.163.01", "/usr/local/bin/nvidia-smi", mode="0755")
        yield made[0]


def test_a_driver_that_is_too_old_and_a_port_that_is_taken_are_refused_before_the_first_change(
    bench: Bench,
) -> None:
    bench.host.put(_CARD % "520.61.05", "/usr/local/bin/nvidia-smi", mode="0755")
    bench.host.put(_LISTENER, "/root/listener.pl")
    bench.host.run("systemd-run --quiet --unit=somebody-else perl /root/listener.pl")
    refused = bench.run()
    bench.host.run("systemctl stop somebody-else")
    bench.host.put(_CARD % "550.163.01", "/usr/local/bin/nvidia-smi", mode="0755")
    assert refused.status == 1
    for words in (
        "NVIDIA driver 525 or later for vLLM 0.11.0",
        "520.61.05",
        "port 8001 free for vllm",
        "`ports.vllm`",
    ):
        assert words in refused.endings["light"], words
    assert bench.host.run(f"ls -d {_TREES}", check=False).stdout == ""


def test_a_tree_of_other_bytes_is_not_laid_down_and_what_was_right_of_it_is_kept(bench: Bench) -> None:
    bench.damaged = True
    failed = bench.run()
    bench.damaged = False
    assert failed.status == 1
    assert "model.safetensors could not be had from any source" in failed.output
    [part] = bench.host.run(f"ls -d {_TREES}/*").stdout.split()
    assert part.endswith(".part")
    assert bench.host.run(f"find {part} -type f -printf '%f\\n'").stdout.split() == ["config.json"]
    assert bench.active("venom-backend.service") == "active"


def test_it_serves_beside_the_others_and_a_second_run_changes_nothing(bench: Bench) -> None:
    run = bench.run().check()
    assert "vLLM" in run.endings["light"]
    models = json.loads(visitor.fetch(bench.host, f"{_API}/v1/models").body)
    assert [it["id"] for it in models["data"]] == [_MODEL]
    assert visitor.fetch(bench.host, f"{visitor.OLLAMA}/api/version").status == 200
    owned = bench.host.run(f"find {_TREES} -not -user root -o -perm /022 -not -type l").stdout
    assert owned == ""
    settings = visitor.settings(bench.host)
    assert settings["VLLM_START_COMMAND"].strip("\"'") == "systemctl start vllm.service"
    assert settings["VLLM_ENDPOINT"].strip("\"'") == f"{_API}/v1"
    assert bench.run().check().changed_operations == []


def test_venoms_user_starts_and_stops_this_unit_and_no_other(bench: Bench) -> None:
    assert bench.as_venom("stop", _UNIT) == ""
    assert bench.active() == "inactive"
    drifted = bench.run("--json", deploy="deploy/status.py")
    assert drifted.status == 2
    assert f'"thing": "{_UNIT}"' in drifted.output
    assert bench.as_venom("start", _UNIT) == ""
    assert bench.active() == "active"
    for verb, unit in (("stop", "ollama.service"), ("restart", "nginx.service"), ("disable", _UNIT)):
        assert "authentication required" in bench.as_venom(verb, unit).lower(), verb


def test_status_and_acceptance_know_it_and_it_says_what_it_is(bench: Bench) -> None:
    visitor.await_answer(bench.host, f"{_API}/health")
    status = bench.run("--json", deploy="deploy/status.py").check().output
    document, _ = json.JSONDecoder().raw_decode(status[status.index("{") :])
    assert [it["health"] for it in document["hosts"]["light"]["services"] if it["unit"] == _UNIT] == [
        "serves"
    ]
    assert document["hosts"]["light"]["versions"]["vllm"] == "0.11.0"
    accepted = bench.run(deploy="deploy/verify.py").output
    [line] = [line for line in accepted.splitlines() if line.startswith("report ")]
    host = acceptance.read(REPOSITORY / line.split()[-1]).hosts[0]
    checks = {it.name: it for it in host.checks}
    assert checks["units.vllm"].result == checks["health.vllm"].result == "passed"
    assert checks["vllm.chat"].result == "passed", checks["vllm.chat"]
    assert "stand-in for vLLM" in checks["vllm.chat"].found
    assert "vllm (8001)" in checks["outside.closed"].found


def test_a_version_that_does_not_serve_is_taken_back(bench: Bench) -> None:
    bench.version = "0.11.1"
    failed = bench.run()
    bench.version = "0.11.0"
    assert failed.status == 1
    for words in ("vLLM (vllm.service) does not serve", _BROKEN, "What served before serves again"):
        assert words in failed.endings["light"], words
    assert visitor.fetch(bench.host, f"{_API}/health").status == 200
    assert bench.run().check().changed_operations == []


def test_with_another_profile_it_is_gone_and_a_rollback_brings_it_back_from_what_is_there(
    bench: Bench,
) -> None:
    bench.without().check()
    assert bench.active() == "inactive"
    assert bench.host.run(f"ls -d {' '.join(_GONE)}", check=False).stdout == ""
    assert "VLLM_MODEL_PATH" not in visitor.settings(bench.host)
    bench.run(deploy="deploy/rollback.py").check()
    assert visitor.fetch(bench.host, f"{_API}/health").status == 200


def test_without_it_nothing_of_it_is_kept_once_no_generation_needs_it(bench: Bench) -> None:
    bench.host.run("rm /usr/local/bin/nvidia-smi")
    bench.without(keep_generations=1).check()
    assert bench.host.run(f"ls -d {_TREES}/* /opt/venom/venvs/vllm-*", check=False).stdout == ""
    assert bench.without(keep_generations=1).check().changed_operations == []


def test_somebody_elses_unit_of_that_name_is_left_alone_until_it_is_in_the_way(bench: Bench) -> None:
    bench.host.put(_THEIRS, f"/etc/systemd/system/{_UNIT}")
    bench.host.run(f"systemctl start {_UNIT}")
    bench.without(keep_generations=1).check()
    assert bench.active() == "active"
    assert bench.without(keep_generations=1).check().changed_operations == []
    bench.host.put(_CARD % "550.163.01", "/usr/local/bin/nvidia-smi", mode="0755")
    refused = bench.run()
    assert refused.status == 1
    assert f"no {_UNIT} of somebody else's" in refused.endings["light"]
    assert bench.active() == "active"
    bench.host.run(f"systemctl stop {_UNIT}; rm /etc/systemd/system/{_UNIT}; systemctl daemon-reload")


def test_removal_takes_all_of_it(bench: Bench) -> None:
    bench.run().check()
    bench.run(deploy="deploy/remove.py").check()
    assert bench.active() == "inactive"
    assert bench.host.run(f"ls -d {' '.join(_GONE)} {_TREES}", check=False).stdout == ""
