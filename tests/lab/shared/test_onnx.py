"""ONNX in the backend's own process: genuine packages and a genuine, if tiny, model answer by Venom's API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.hosts import Host
from lab.onnx import model
from lab.state import REPOSITORY
from roles.verification import acceptance
from tests.lab import provisioning, visitor
from tests.lab.mirror import mirror
from tests.lab.provisioning import Result
from tests.lab.serving import Serving

_MODEL, _COMMIT = "lab/one-sentence-onnx", "0123456789abcdef0123456789abcdef01234567"
_UNDER = "cpu/int4"  # as repositories of ONNX models have one in several folders
_HUB = f"huggingface.co/{_MODEL}/resolve/{_COMMIT}/{_UNDER}/"
_RUNTIME = f"{visitor.BACKEND}/api/v1/system/llm-runtime/active"
_TREES, _VENVS = "/opt/venom/trees", "/opt/venom/venvs"


@dataclass(frozen=True)
class Bench:
    """A host that serves, and a mirror that has the model."""

    host: Host
    serving: Serving
    folder: Path
    files: str  # the mirror's URL
    venvs: str  # the environments of the host before there was any ONNX

    def run(self, *arguments: str, deploy: str = "deploy/venom.py", **settings: Any) -> Result:
        """Run with ONNX in profile full, or with these settings instead."""
        own = {"profile": "full", "engines": {"onnx": {"model": _MODEL}}, **settings}
        declared = self.serving.of_light(**{key: it for key, it in own.items() if it is not None})
        declared["pins"] = [*declared["pins"], str(self._pins())]
        mirrors = declared["defaults"]["mirrors"]
        declared["hosts"]["light"]["mirrors"] = {**mirrors, "files": [self.files, *mirrors["files"]]}
        return provisioning.run(provisioning.inventory(self.folder, declared), *arguments, deploy=deploy)

    def without(self, **settings: Any) -> Result:
        """Run with the same host as profile light."""
        return self.run(profile=None, engines=None, **settings)

    def _pins(self) -> Path:
        files = {
            f"{_UNDER}/{path}": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in model.files().items()
        }
        tree = {"commit": _COMMIT, "kv_bytes_per_token": 8, "files": files}
        path = self.folder / "onnx.yaml"
        path.write_text(yaml.safe_dump({"trees": {_MODEL: tree}}), encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def bench(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    content = model.files()
    with mirror(lambda path: content.get(path.partition(_HUB)[2])) as files:
        host = serving.light
        before = host.run(f"ls {_VENVS}").stdout
        yield Bench(host, serving, tmp_path_factory.mktemp("onnx"), files, before)


def test_it_comes_with_its_packages_and_its_model_and_a_second_run_changes_nothing(bench: Bench) -> None:
    bench.run().check()
    settings = {name: value.strip("\"'") for name, value in visitor.settings(bench.host).items()}
    assert settings["ONNX_LLM_ENABLED"] == "true"
    assert settings["ONNX_LLM_EXECUTION_PROVIDER"] == "cpu"
    assert settings["ONNX_LLM_MODEL_PATH"].startswith(f"{_TREES}/one-sentence-onnx-")
    assert settings["ACTIVE_LLM_SERVER"] == "ollama", "Venom's panel chooses"
    assert bench.host.run(f"find {_TREES} -not -user root -o -perm /022 -not -type l").stdout == ""
    assert bench.run().check().changed_operations == []


def test_status_and_acceptance_know_it(bench: Bench) -> None:
    status = bench.run("--json", deploy="deploy/status.py").check().output
    document, _ = json.JSONDecoder().raw_decode(status[status.index("{") :])
    assert document["hosts"]["light"]["versions"]["onnx runtime genai"]
    accepted = bench.run(deploy="deploy/verify.py").output
    [line] = [line for line in accepted.splitlines() if line.startswith("report ")]
    checks = {it.name: it for it in acceptance.read(REPOSITORY / line.split()[-1]).hosts[0].checks}
    assert checks["onnx.ready"].result == "passed", checks["onnx.ready"]
    assert checks["api.chat"].result == "passed", "Ollama's model still answers"


def test_it_answers_a_chat_in_the_backends_sandbox_and_what_the_panel_chose_is_mended(bench: Bench) -> None:
    assert visitor.fetch(bench.host, _RUNTIME, {"provider": "onnx"}).status == 200
    chat = visitor.chat(bench.host, "Who are you?", base=visitor.BACKEND)
    assert (chat.status, chat.result) == ("COMPLETED", model.SENTENCE)
    bench.run().check()
    assert visitor.settings(bench.host)["ACTIVE_LLM_SERVER"].strip("\"'") == "ollama"


def test_with_another_profile_it_is_gone_and_a_rollback_brings_it_back(bench: Bench) -> None:
    bench.without().check()
    assert "ONNX_LLM_ENABLED" not in visitor.settings(bench.host)
    bench.run(deploy="deploy/rollback.py").check()
    assert "ONNX_LLM_ENABLED" in visitor.settings(bench.host)
    bench.without(keep_generations=1).check()
    assert bench.host.run(f"ls {_TREES}", check=False).stdout == ""
    assert bench.host.run(f"ls {_VENVS}").stdout == bench.venvs, "what light has did not grow"
