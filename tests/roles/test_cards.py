"""What nvidia-smi says of cards, in its own words, and what is made of it."""

from __future__ import annotations

import pytest

from roles.preflight.cards import Cards, cards
from schemas.hardware import Gpu
from schemas.plan.memory import GIB, MIB

MEMORY = 120 * GIB
PCI = ("0000:01:00.0",)
WARNING = "WARNING: infoROM is corrupted at gpu 0000:01:00.0"
GOOD = "NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6, [N/A]"
CARD = Gpu("nvidia", "NVIDIA GeForce RTX 3060", 12288 * MIB, "550.163.01", "8.6")


def read(*lines: str, slices: tuple[str, ...] = (), devices: tuple[str, ...] = PCI) -> Cards:
    return cards(lines, slices, devices, MEMORY)


@pytest.mark.parametrize(
    ("line", "card"),
    [
        (GOOD, CARD),
        # As drivers before 510 are asked, and as a stand-in of four fields.
        ("Tesla K80, 11441, 470.82.01", Gpu("nvidia", "Tesla K80", 11441 * MIB, "470.82.01", "")),
        ("A, B, and C, 8192, 550.54.14, 8.6", Gpu("nvidia", "A, B, and C", 8192 * MIB, "550.54.14", "8.6")),
        (
            "NVIDIA GB10, [N/A], 580.126.09, 12.1",
            Gpu("nvidia", "NVIDIA GB10", MEMORY, "580.126.09", "12.1", unified=True),
        ),
        (
            "Orin (nvgpu), [Not Supported], 540.4.0, [N/A], [N/A]",
            Gpu("nvidia", "Orin (nvgpu)", MEMORY, "540.4.0", "", unified=True),
        ),
        (
            "NVIDIA GH200 480GB, 97871, 560.35.05, 9.0, Disabled",
            Gpu("nvidia", "NVIDIA GH200 480GB", 97871 * MIB, "560.35.05", "9.0"),
        ),
    ],
)
def test_a_card_is_taken_with_the_memory_that_it_has(line: str, card: Gpu) -> None:
    assert read(line) == Cards((card,))


@pytest.mark.parametrize("lines", [(WARNING, GOOD), (GOOD, WARNING), (GOOD, "", WARNING)])
def test_a_warning_beside_a_good_card_is_a_remark(lines: tuple[str, ...]) -> None:
    assert read(*lines) == Cards((CARD,), (f"nvidia-smi: {WARNING}",))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("NVIDIA L4, [GPU requires reset], 550.163.01, 8.9, [N/A]", "NVIDIA L4: its memory is [GPU requires"),
        ("NVIDIA A30, [Insufficient Permissions], 550.1, 8.0, Disabled", "NVIDIA A30: its memory is [Insu"),
        ("Unable to determine the device handle for GPU0000:0B:00.0: Unknown Error", "Unable to determine"),
    ],
)
def test_of_several_cards_a_bad_one_is_left_out_and_reported(bad: str, reason: str) -> None:
    beside = read(bad, GOOD)
    assert (beside.usable, beside.trouble) == ((CARD,), "")
    assert beside.remarks[0].startswith(f"a card is not used: {reason}")
    alone = read(bad)
    assert alone.usable == ()
    assert alone.trouble.startswith(reason)


NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
    "NVIDIA driver is installed and running."
)


@pytest.mark.parametrize("line", ["No devices were found", NO_DRIVER])
def test_whether_there_is_a_card_the_kernel_shows_and_not_an_nvidia_smi_that_fails(line: str) -> None:
    assert read(line).trouble == line
    without = read(line, devices=())
    assert (without.usable, without.trouble) == ((), "")
    assert without.remarks == (f"there is no NVIDIA card, although nvidia-smi is installed: {line}",)


def test_what_cannot_be_read_is_never_no_card() -> None:
    for line in (
        "Failed to initialize NVML: Driver/library version mismatch",
        "nvidia-smi does not answer within 30 s",
    ):
        assert read(line, devices=()).trouble == line


def test_a_card_without_a_driver_is_reported() -> None:
    assert read(devices=()) == Cards()
    (remark,) = read().remarks
    assert remark == "an NVIDIA card is there (0000:01:00.0) but no driver: it is not used"


def test_of_a_card_that_is_divided_ollama_has_the_first_part() -> None:
    line = "NVIDIA A100-SXM4-80GB, 81920, 550.163.01, 8.0, Enabled"
    slices = (
        "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5c)",
        "  MIG 1g.10gb     Device  0: (UUID: MIG-1a)",
        "  MIG 3g.40gb     Device  1: (UUID: MIG-2b)",
    )
    divided = read(line, slices=slices)
    assert [it.vram_bytes / GIB for it in divided.usable] == [pytest.approx(9.5)]
    assert "divided by MIG: Ollama uses its first instance, 9.5 GiB" in divided.remarks[0]
    assert read(line).trouble == "NVIDIA A100-SXM4-80GB: MIG is enabled, but it has no instance"
