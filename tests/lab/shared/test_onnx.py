"""ONNX and speech in the backend's own process: genuine packages compute genuine, if tiny, models."""

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
from lab.onnx import model, voice
from lab.state import REPOSITORY
from roles.verification import acceptance
from tests.lab import provisioning, visitor
from tests.lab.mirror import mirror
from tests.lab.provisioning import Result
from tests.lab.serving import Serving

_MODEL, _COMMIT = "lab/one-sentence-onnx", "0123456789abcdef0123456789abcdef01234567"
_VOICE = "lab/hum"
_UNDER = "cpu/int4"  # as repositories of ONNX models have one in several folders
_HUB = f"huggingface.co/%s/resolve/{_COMMIT}/"
# Path at the hub → its content.
_FILES = {
    **{f"{_HUB % _MODEL}{_UNDER}/{path}": content for path, content in model.files().items()},
    **{f"{_HUB % _VOICE}{path}": content for path, content in voice.files().items()},
}
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
        engines = {"onnx": {"model": _MODEL}, "speech": {"tts": _VOICE}}
        own = {"profile": "full", "engines": engines, **settings}
        declared = self.serving.of_light(**{key: it for key, it in own.items() if it is not None})
        declared["pins"] = [*declared["pins"], str(self._pins())]
        mirrors = declared["defaults"]["mirrors"]
        declared["hosts"]["light"]["mirrors"] = {**mirrors, "files": [self.files, *mirrors["files"]]}
        return provisioning.run(provisioning.inventory(self.folder, declared), *arguments, deploy=deploy)

    def without(self, **settings: Any) -> Result:
        """Run with the same host as profile light."""
        return self.run(profile=None, engines=None, **settings)

    def _pins(self) -> Path:
        trees = {}
        for name, more in ((_MODEL, {"kv_bytes_per_token": 8}), (_VOICE, {})):
            files = {
                path.removeprefix(_HUB % name): {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                }
                for path, content in _FILES.items()
                if path.startswith(_HUB % name)
            }
            trees[name] = {"commit": _COMMIT, **more, "files": files}
        path = self.folder / "onnx.yaml"
        path.write_text(yaml.safe_dump({"trees": trees}), encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def bench(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with mirror(lambda path: _FILES.get(path.lstrip("/"))) as files:
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
    versions = document["hosts"]["light"]["versions"]
    assert versions["onnx runtime genai"]
    assert versions["piper"]
    assert versions["faster-whisper"]
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


def test_its_voice_speaks_for_venoms_user_from_where_the_settings_say(bench: Bench) -> None:
    path = visitor.settings(bench.host)["TTS_MODEL_PATH"].strip("\"'")
    code = (
        f"import piper; voice = piper.PiperVoice.load({path!r}); "
        "print(sum(len(it.audio_int16_array) for it in voice.synthesize('hello')))"
    )
    line = ["runuser", "-u", "venom", "--", "/opt/venom/current/venv/bin/python", "-c", code]
    assert int(bench.host.run(line).stdout) > 0


def test_with_another_profile_it_is_gone_and_a_rollback_brings_it_back(bench: Bench) -> None:
    bench.without().check()
    assert not {"ONNX_LLM_ENABLED", "TTS_MODEL_PATH"} & visitor.settings(bench.host).keys()
    bench.run(deploy="deploy/rollback.py").check()
    assert "ONNX_LLM_ENABLED" in visitor.settings(bench.host)
    bench.without(keep_generations=1).check()
    assert bench.host.run(f"ls {_TREES}", check=False).stdout == ""
    assert bench.host.run(f"ls {_VENVS}").stdout == bench.venvs, "what light has did not grow"
