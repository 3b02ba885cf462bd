"""The uv that installs on a host: the wheel that pins.yaml names, fetched once by the controller."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from engine import controller
from engine.refusal import refuse
from schemas.model import HostPlan

WHEEL_PLATFORMS = {"amd64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}


def wheel(plan: HostPlan) -> Path:
    """The pinned wheel for the plan's architecture, in the controller's cache.

    It travels over the SSH connection, so a host needs neither pip nor a way to the package index
    before its own mirrors and certificates are in place.
    """
    return controller.once(("uv", plan.uv, plan.arch), lambda: _fetch(plan))


def _fetch(plan: HostPlan) -> Path:
    wheel = controller.cache_directory("uv") / f"uv-{plan.uv.version}-{plan.arch}.whl"
    requirement = f"uv {plan.uv.version} for {plan.arch} from the package index"
    if not wheel.exists():
        index = ["--index-url", plan.mirrors.pypi] if plan.mirrors.pypi else []
        with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
            controller.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                + ["--only-binary=:all:", "--platform", WHEEL_PLATFORMS[plan.arch]]
                + [*index, "--dest", folder, f"uv=={plan.uv.version}"],
                requirement,
                "check the controller's network, or set `mirrors.pypi`",
            )
            next(Path(folder).glob("*.whl")).rename(wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != plan.uv.integrity:
        wheel.unlink()
        raise refuse(
            f"{requirement} with sha256 {plan.uv.integrity}",
            f"sha256 {found}",
            "check the mirror; if the pin is wrong, correct schemas/data/pins.yaml",
        )
    return wheel
