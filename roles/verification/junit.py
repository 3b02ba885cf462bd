"""An acceptance as JUnit XML, for whatever reads test results: a suite a host, a case a check. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from roles.verification.acceptance import FAILED, SKIPPED, UNREACHED, Acceptance, Check, HostAcceptance

FILE = "junit.xml"

# What XML 1.0 cannot hold: control characters, which journals may have.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(acceptance: Acceptance, folder: Path) -> Path:
    """Write `junit.xml` into the folder; returns its path."""
    tree = Xml.ElementTree(suites(acceptance))
    Xml.indent(tree)
    path = folder / FILE
    tree.write(path, encoding="utf-8", xml_declaration=True)
    return path


def suites(acceptance: Acceptance) -> Xml.Element:
    """The root element."""
    root = Xml.Element("testsuites", name=f"acceptance of {acceptance.inventory}")
    for host in acceptance.hosts:
        root.append(_suite(host, acceptance.at))
    return root


def _suite(host: HostAcceptance, at: str) -> Xml.Element:
    cases = host.checks or (_no_checks(host),)
    suite = Xml.Element(
        "testsuite",
        name=host.name,
        timestamp=at.removesuffix("Z"),
        hostname=host.address,
        tests=str(len(cases)),
        failures=str(_count(cases, FAILED)),
        errors=str(_count(cases, UNREACHED)),
        skipped=str(_count(cases, SKIPPED)),
        time=f"{sum(it.seconds for it in cases):.3f}",
    )
    for it in cases:
        suite.append(_case(it, host))
    return suite


def _no_checks(host: HostAcceptance) -> Check:
    """A host on which nothing could be tried is an error, not an empty suite that looks green."""
    return Check(
        "host.reached", "The host is reached", UNREACHED, "it is reached", host.serves or host.result
    )


def _case(check: Check, host: HostAcceptance) -> Xml.Element:
    case = Xml.Element(
        "testcase",
        name=_clean(f"{check.name}: {check.title}"),
        classname=host.name,
        time=f"{check.seconds:.3f}",
    )
    if check.result in {FAILED, UNREACHED}:
        kind = "failure" if check.result == FAILED else "error"
        fault = Xml.SubElement(case, kind, message=_clean(check.found), type=check.name)
        fault.text = _clean(f"expected: {check.expected}\nfound: {check.found}")
    elif check.result == SKIPPED:
        Xml.SubElement(case, "skipped", message=_clean(check.found))
    told = [f"{it.title}:\n{it.text or it.file}" for it in check.evidence]
    if told:
        Xml.SubElement(case, "system-out").text = _clean("\n\n".join(told))
    return case


def _count(checks: Sequence[Check], result: str) -> int:
    return sum(1 for it in checks if it.result == result)


def _clean(text: str) -> str:
    return _NO_XML.sub("�", text)
