"""An acceptance as JUnit XML, for whatever reads test results: a suite a host, a case a check.

It takes junitparser, which is an extra: who imports this has looked whether it is there.
"""

from __future__ import annotations

import re
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from roles.verification.acceptance import FAILED, SKIPPED, UNREACHED, Acceptance, Check, HostAcceptance

FILE = "junit.xml"

# What XML 1.0 cannot hold: control characters, which journals may have. junitparser would write them.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RESULTS = {FAILED: Failure, UNREACHED: Error, SKIPPED: Skipped}


def write(acceptance: Acceptance, folder: Path) -> Path:
    """Write `junit.xml` into the folder; returns its path."""
    root = JUnitXml(f"acceptance of {acceptance.inventory}")
    for host in acceptance.hosts:
        root.add_testsuite(_suite(host, acceptance.at))
    path = folder / FILE
    root.write(str(path), pretty=True)
    return path


def _suite(host: HostAcceptance, at: str) -> TestSuite:
    suite = TestSuite(host.name)
    suite.timestamp = at.removesuffix("Z")
    suite.hostname = host.address
    suite.add_testcases([_case(it, host) for it in host.checks or (_no_checks(host),)])
    return suite


def _no_checks(host: HostAcceptance) -> Check:
    """A host on which nothing could be tried is an error, not an empty suite that looks green."""
    return Check(
        "host.reached", "The host is reached", UNREACHED, "it is reached", host.serves or host.result
    )


def _case(check: Check, host: HostAcceptance) -> TestCase:
    case = TestCase(_clean(f"{check.name}: {check.title}"), host.name, round(check.seconds, 3))
    if kind := _RESULTS.get(check.result):
        outcome = kind(_clean(check.found), check.name)
        if check.result != SKIPPED:
            outcome.text = _clean(f"expected: {check.expected}\nfound: {check.found}")
        case.result = [outcome]
    evidence = [f"{it.title}:\n{it.text or it.file}" for it in check.evidence]
    if evidence:
        case.system_out = _clean("\n\n".join(evidence))
    return case


def _clean(text: str) -> str:
    return _NO_XML.sub("�", text)
