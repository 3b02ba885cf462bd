"""What nvidia-smi says of cards, in its own words, and what is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roles.preflight.cards import Cards, cards
from roles.preflight.loaded import UNSEEN, Loaded
from schemas.hardware import Gpu
from schemas.plan.memory import GIB, MIB

MEMORY = 120 * GIB
PCI = ("0000:01:00.0",)
WARNING = "WARNING: infoROM is corrupted at gpu 0000:01:00.0"
GOOD = "NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6, [N/A]"
CARD = Gpu("nvidia", "NVIDIA GeForce RTX 3060", 12288 * MIB, "550.163.01", "8.6")


def read(
    *lines: str, slices: tuple[str, ...] = (), devices: tuple[str, ...] = PCI, loaded: Loaded = UNSEEN
) -> Cards:
    return cards(lines, slices, devices, MEMORY, loaded)


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
    assert remark == (
        "an NVIDIA card is there (0000:01:00.0) but no driver: it is not used\n"
        "do        install one, or let a run: gpu: {driver: install}"
    )


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


A100 = "NVIDIA A100-SXM4-80GB, 81920, 550.163.01, 8.0, {mig}, GPU-{uuid}"
TWO = (
    "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5c-01)",
    "GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-5c-02)",
    "  MIG 3g.40gb     Device  0: (UUID: MIG-1a)",
    "  MIG 1g.10gb     Device  1: (UUID: MIG-2b)",
)


def test_of_several_cards_each_has_its_own_instances() -> None:
    first, second = A100.format(mig="Disabled", uuid="5c-01"), A100.format(mig="Enabled", uuid="5c-02")
    both = read(first, second, slices=TWO)
    assert [it.vram_bytes / GIB for it in both.usable] == [80, pytest.approx(38)]
    # The second's instances are none of the first's.
    undivided = read(A100.format(mig="Enabled", uuid="5c-01"), second, slices=TWO)
    assert [it.vram_bytes / GIB for it in undivided.usable] == [pytest.approx(38)]
    assert undivided.remarks[-1].endswith("MIG is enabled, but it has no instance")


def test_an_instance_whose_processors_are_divided_once_more_counts_with_its_memory() -> None:
    slices = (TWO[1], "  MIG 1c.3g.40gb  Device  0: (UUID: MIG-1a)")
    (card,) = read(A100.format(mig="Enabled", uuid="5c-02"), slices=slices).usable
    assert card.vram_bytes / GIB == pytest.approx(38)


MODULES = {
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.173.02  Tue Jun 23 08:38:17 UTC 2026": "580.173.02",
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@box)  Thu": (
        "570.124.06"
    ),
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (u@h)  Thu": "540.4.0",
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01": "535.309.01",
    "GCC version:  gcc version 14.2.0 (Debian 14.2.0-19)": "",
    "": "",
}


@pytest.mark.parametrize("words", MODULES)
def test_which_driver_the_kernel_has_loaded_is_read_from_its_own_words(words: str) -> None:
    assert Loaded(words).driver == MODULES[words]


def test_after_an_upgrade_without_a_reboot_the_refusal_has_both_drivers() -> None:
    mismatch = ("Failed to initialize NVML: Driver/library version mismatch", "NVML library version: 580.178")
    found = read(*mismatch, loaded=Loaded(next(iter(MODULES))))
    assert found.trouble == f"{' '.join(mismatch)} (the kernel has loaded driver 580.173.02)"


def test_a_card_whose_driver_is_loaded_but_has_no_nvidia_smi_is_reported_as_that() -> None:
    (remark,) = read(loaded=Loaded(next(iter(MODULES)))).remarks
    assert remark.endswith("but no nvidia-smi, only driver 580.173.02: it is not used")


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (None, ""),
        ("/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.550.163.01", ""),
        ("/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1", ""),
        ("", "may not use it without libcuda.so.1 (Debian: install libcuda1)"),
        ("/usr/lib/x86_64-linux-gnu/libcuda.so.535.309.01", "of driver 535.309.01, and 550.163.01 is loaded"),
    ],
)
def test_a_library_that_programs_cannot_compute_by_is_a_remark(library: str | None, words: str) -> None:
    both = read(GOOD, GOOD, loaded=Loaded("", library))
    assert both.usable == (CARD, CARD)
    assert len(both.remarks) == bool(words)
    assert words in "".join(both.remarks)


_lines = st.lists(
    st.sampled_from([GOOD, WARNING, NO_DRIVER, "No devices were found", *TWO, *MODULES])
    | st.text(st.characters(codec="utf-8"), max_size=60)
    | st.tuples(st.sampled_from(["[N/A]", "8192", "A", "GPU-1"]), st.sampled_from(["", "9", "Enabled"])).map(
        ", ".join
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(_lines, _lines, st.sampled_from([(), PCI]), st.text(max_size=60), st.none() | st.text(max_size=40))
def test_whatever_is_printed_is_cards_remarks_or_trouble_and_noise_hides_no_card(
    lines: list[str], slices: list[str], devices: tuple[str, ...], module: str, library: str | None
) -> None:
    loaded = Loaded(module, library)
    found = cards(lines, slices, devices, MEMORY, loaded)
    assert not (found.usable and found.trouble)
    assert (CARD in found.usable) == (GOOD in [it.strip() for it in lines])
    if devices and not found.usable:
        assert found.trouble or found.remarks, "a card that is there is never passed over in silence"
    assert CARD in cards([*lines, GOOD], slices, devices, MEMORY, loaded).usable
