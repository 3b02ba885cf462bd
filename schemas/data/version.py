"""Comparing versions and ranges, as PEP 440 has them."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def at_least(version: str, minimum: str) -> bool:
    """Whether `version` is `minimum` or later. What is no version is taken for the newest."""
    try:
        return Version(version) >= Version(minimum)
    except InvalidVersion:
        return True


def in_range(version: str, requires: str) -> bool:
    """Whether `version` ("3.12.14", "v1.9.0") is in the range `requires`; False for what is neither."""
    try:
        return SpecifierSet(requires).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def is_range(requires: str) -> bool:
    """Whether `requires` is a PEP 440 range."""
    try:
        SpecifierSet(requires)
    except InvalidSpecifier:
        return False
    return True


def is_requirement(text: str) -> bool:
    """Whether `text` names one package as PEP 508 has it: no option, no file."""
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True
