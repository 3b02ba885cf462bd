"""NVIDIA's driver as the kernel has loaded it, and as programs find it. Pure.

An upgrade changes the second at once, and the first with the next boot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.hardware import Gpu

# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.173.02  Tue Jun 23 …", and of the open modules
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (…)".
_MODULE = re.compile(r"NVRM version: .*Kernel Module.*?\s\s(?P<driver>\d{3}(\.\d+)+)\s")
# Jetson's is libcuda.so.1.1, whatever its driver.
_LIBRARY = re.compile(r"/libcuda\.so\.(?P<driver>\d{3}(\.\d+)+)")


@dataclass(frozen=True)
class Loaded:
    """Both of them, in the host's own words."""

    module: str = ""  # the first line of /proc/driver/nvidia/version; empty where no module is loaded
    library: str | None = None  # the file of libcuda.so.1; empty: there is none; None: nobody has looked

    @property
    def driver(self) -> str:
        """The driver that the kernel runs, e.g. "550.163.01"; empty where that is not known."""
        match = _MODULE.match(f"{self.module} ")
        return match["driver"] if match else ""

    @property
    def libraries(self) -> str:
        """The driver whose libraries programs find; empty where that is not known."""
        match = _LIBRARY.fullmatch(self.library[self.library.rfind("/") :]) if self.library else None
        return match["driver"] if match else ""

    def remarks(self, gpu: Gpu) -> list[str]:
        """What may keep Ollama from a card although nvidia-smi lists it: that does without libcuda."""
        if self.library == "":
            return [f"{gpu.name}: Ollama may not use it without libcuda.so.1 (Debian: install libcuda1)"]
        if self.libraries and self.libraries != gpu.driver:
            differs = f"libcuda.so.1 is of driver {self.libraries}, and {gpu.driver} is loaded"
            return [f"{gpu.name}: Ollama may not use it: {differs}; reboot, if the driver was upgraded"]
        return []


UNSEEN = Loaded()
