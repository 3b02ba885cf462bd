"""Speech in a plan: what Venom is told, the packages that it brings, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from schemas.plan.host import plan_host, to_dict
from tests.schemas.conftest import Load, Refuse, cpu

STT, TTS, MANY = "a/whisper", "a/voice", "a/voices"
FILES = {
    STT: ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"),
    TTS: ("pl/voice.onnx", "pl/voice.onnx.json"),
    MANY: ("pl/voice.onnx", "pl/voice.onnx.json", "en/voice.onnx", "en/voice.onnx.json"),
    "a/bare": ("config.json", "model.bin"),
}


@pytest.fixture(autouse=True)
def pins(tmp_path: Path) -> None:
    """Trees of faster-whisper and piper, and some that are of no use."""
    trees = {
        name: {"commit": "0" * 40, "files": {it: {"sha256": "0" * 64, "size": 100} for it in paths}}
        for name, paths in FILES.items()
    }
    (tmp_path / "trees.yaml").write_text(yaml.safe_dump({"trees": trees}), encoding="utf-8")


def text(speech: str, more: str = "profile: full") -> str:
    return f"pins: [trees.yaml]\nhosts:\n  box:\n    {more}\n    engines: {{speech: {speech}}}\n"


def test_venom_is_told_paths_so_that_it_fetches_nothing(loaded: Load) -> None:
    plan = plan_host(loaded(text(f"{{stt: {STT}, tts: {TTS}}}")).host("box"), cpu(64))
    env = plan.backend.env_file
    assert env["ENABLE_AUDIO_INTERFACE"] == "true"
    assert env["AUDIO_DEVICE"] == "cpu"
    assert env["WHISPER_MODEL_SIZE"] == plan.trees["stt"][0].path
    assert env["TTS_MODEL_PATH"] == f"{plan.trees['tts'][0].path}/pl/voice.onnx"
    assert plan.requirements.extras == ("onnx-cpu", "onnx-extras")
    assert plan.speech
    assert plan.speech.memory == 600


def test_one_of_the_two_is_enough(loaded: Load) -> None:
    plan = plan_host(loaded(text(f"{{tts: {TTS}}}")).host("box"), cpu(64))
    assert "WHISPER_MODEL_SIZE" not in plan.backend.env_file
    assert list(plan.trees) == ["tts"]


@pytest.mark.parametrize(
    ("speech", "more", "path", "found"),
    [
        (f"{{stt: {STT}}}", "profile: light", "engines", "speech in profile light"),
        (
            "{stt: a/bare}",
            "profile: full",
            "engines.speech.stt",
            '"a/bare", whose tree has no tokenizer.json',
        ),
        (f"{{tts: {MANY}}}", "profile: full", "engines.speech.tts", f'"{MANY}", whose tree has 2 models'),
        (f"{{tts: {STT}}}", "profile: full", "engines.speech.tts", f'"{STT}", whose tree has no onnx'),
        (
            f"{{tts: {TTS}}}",
            "profile: full\n    requirements: {tier: full}",
            "engines.speech",
            "speech beside the tier full, whose onnxruntime-gpu lies in the same folder",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_one_message(
    refused: Refuse, speech: str, more: str, path: str, found: str
) -> None:
    (problem,) = refused(text(speech, more))
    assert (problem.path, problem.found) == (f"hosts.box.{path}", found)


def test_the_plan_of_light_says_nothing_of_it(loaded: Load) -> None:
    plan = plan_host(loaded("hosts: {box: {}}").host("box"), cpu(64))
    assert "speech" not in to_dict(plan)
    assert not [it for it in plan.backend.env_file if "AUDIO" in it and not it.startswith("GEMMA4")]
