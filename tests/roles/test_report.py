"""The page that an acceptance becomes: whole, closed to the outside, and true to its document."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from roles.verification import acceptance as document
from roles.verification import report
from roles.verification.acceptance import FAILED, PASSED, Acceptance, Check, Evidence, HostAcceptance
from tests.roles.acceptances import HISTORY, acceptance, png

HOSTILE = (
    "</pre></svg></style><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"'&{{ 7*7 }}$\\frac$\x00\x1b[31m"
)
ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """What stands in a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.unseen = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.unseen = tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        self.texts += [] if self.unseen else [data]

    def handle_endtag(self, tag: str) -> None:
        self.unseen = False

    @property
    def text(self) -> str:
        """All that can be read, in its order."""
        return " ".join(" ".join(self.texts).split())

    def elements(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def rendered(it: Acceptance, files: dict[str, bytes] | None = None) -> str:
    """The page of an acceptance whose evidence is `files`."""
    shots = {"gpu1-ui.png": png(), "gpu1-narrow.png": png(39, 84)}
    return report.render(it, (shots if files is None else files).get)


@cache
def whole() -> str:
    """The page of the whole acceptance."""
    return rendered(acceptance())


def alone(host: HostAcceptance) -> Acceptance:
    """An acceptance of one host."""
    return replace(acceptance(), hosts=(host,))


def squeezed(text: str) -> str:
    """As Page has it."""
    return " ".join(text.split())


def test_the_vram_tier_stands_at_a_host_that_has_a_model() -> None:
    first, second, _ = acceptance().hosts
    assert "VRAM tier low-vram-8-12gb" in Page(rendered(alone(first))).text
    assert "VRAM tier" not in Page(rendered(alone(second))).text


def test_the_page_asks_nobody_for_anything() -> None:
    text = whole()
    page = Page(text)
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"}
    ]
    assert addresses
    assert all(it.startswith(("#", "data:image/png;base64,")) for it in addresses)
    assert all(it.startswith("#") for it in re.findall(r"url\(\s*['\"]?([^)]*)", text))
    assert "@import" not in text
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    # And should anything of that ever get in, a browser would not follow it.
    assert page.elements("meta")[1]["content"].startswith("default-src 'none';")


def test_what_comes_from_a_host_stays_text() -> None:
    evidence = (Evidence("journal", HOSTILE, text=HOSTILE), Evidence("screenshot", HOSTILE, file="a.png"))
    check = Check(HOSTILE, HOSTILE, FAILED, HOSTILE, HOSTILE, 1.0, evidence)
    host = replace(
        acceptance().hosts[0],
        name=HOSTILE, address=HOSTILE, serves=HOSTILE, generation=HOSTILE, checks=(check,),
        checklist=(document.Item(HOSTILE, PASSED, (HOSTILE,)),),
        history=tuple(replace(it, release=HOSTILE, generation=HOSTILE + it.generation) for it in HISTORY),
        run={"at": "2026-11-22T03:04:12Z", "by": HOSTILE, "seconds": 9, "branches": {HOSTILE: {
            "begun": 1795316501.2, "ended": 1795316510.2, "seconds": 9,
            "steps": [{"step": HOSTILE, "seconds": 9}]}}},
    )  # fmt: skip
    it = replace(alone(host), by=HOSTILE, inventory=HOSTILE)
    text = rendered(it, {"a.png": png()})
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert len(page.elements("style")) == 1
    assert len(page.elements("img")) == 1  # the screenshot, and none of the names
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert "{{ 7*7 }}" in page.text
    assert page.text.count("alert(1)") > 20


def test_the_verdict_comes_first_then_the_hosts_that_failed() -> None:
    page = Page(whole())
    places = [page.text.index(it) for it in ("Not accepted", "1 host of 3 failed: gpu1.", "What failed")]
    assert places == sorted(places)
    headings = [it["aria-labelledby"] for it in page.elements("section")]
    assert headings == ["fleet", "host-1-name", "host-2-name", "host-3-name"]
    assert re.findall(r'<h2 id="host-\d-name">(\w+)</h2>', whole()) == [
        "gpu1",
        "gpu2",
        "front",
    ]
    well = replace(acceptance(), hosts=acceptance().hosts[1:2])
    assert "Accepted The host passed every check that applies." in squeezed(
        Page(rendered(well)).text.replace("✓", "")
    )


def test_each_check_is_reported_with_what_was_expected_and_found() -> None:
    page = Page(whole()).text
    for host in acceptance().hosts:
        assert host.name in page
        for check in host.checks:
            for text in (check.name, check.title, check.result, check.expected, check.found):
                assert squeezed(text) in page
            assert all(squeezed(it.text) in page for it in check.evidence)
        assert all(it.item in page for it in host.checklist)


def test_every_id_is_there_once_and_every_link_leads_to_one() -> None:
    page = Page(whole())
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert max(ids.values()) == 1
    assert {it["href"][1:] for it in page.elements("a")} <= set(ids)


def test_screenshots_are_in_the_page_with_words_for_who_does_not_see_them() -> None:
    images = Page(whole()).elements("img")
    assert [it["alt"] for it in images] == [
        "Start page on gpu1; Every page of the UI opens in a browser: passed",
        "Start page, 390 px wide on gpu1; The start page fits a telephone: passed",
    ]
    assert not Page(rendered(acceptance(), {"gpu1-ui.png": b"<svg onload=alert(1)>"})).elements("img")


def test_the_run_is_drawn_to_scale() -> None:
    text = whole()
    bars = re.findall(r'--from: ([\d.]+)%; --long: ([\d.]+)%" title="([^"]+)"', text)
    steps = {step.rpartition(": ")[0]: (float(begin), float(long)) for begin, long, step in bars}
    assert len(bars) == 17
    assert all(begin >= 0 and begin + long <= 100.01 for begin, long in steps.values())
    # 71.5 of 162.4 seconds; what follows begins where it ends.
    assert steps["build"][1] == pytest.approx(100 * 71.5 / 162.4, abs=0.3)
    assert steps["assemble"][0] == pytest.approx(sum(steps["build"]), abs=0.02)


def test_figures_stand_beside_those_of_the_release_before_and_their_budget() -> None:
    page = Page(whole()).text
    assert "Compared with v1.7.0, light, 2026-10-01 07:40 UTC." in page
    assert "Chat over the API 30.1 s 7.1 s +23.0 s, +324 % over 25 s" in page
    assert "Environment 722 MiB 722 MiB unchanged over 700 MiB" in page


def test_plots_take_their_colours_from_the_page_and_say_what_they_show() -> None:
    text = whole()
    plots = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    assert len(plots) == 4
    for plot in plots:
        assert set(re.findall(r"(?:fill|stroke): (#\w+)", plot)) == set()
        assert "v1.6.0" in plot
        assert "llm_off" in plot
    labels = [it["aria-label"] for it in Page(text).elements("div") if it.get("role") == "img"]
    assert "v1.9.0, light: Backend 318 MiB, UI 96.0 MiB, Ollama 398 MiB" in " ".join(labels)


def test_light_dark_narrow_and_paper_are_all_thought_of() -> None:
    text = whole()
    for query in ("(prefers-color-scheme: dark)", "(max-width: 46rem)", "@media print"):
        assert query in text
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    names = [re.findall(r"(--[\w-]+):", it) for it in (light, dark)]
    assert names[0] == names[1]
    for scheme in (light, dark):
        colors = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme))
        for ink in ("ink", "muted", "link", "good", "bad", "skip"):
            assert contrast(colors[ink], colors["surface"]) >= 4.5
        assert contrast(colors["muted"], colors["bad-wash"]) >= 4.5
        assert contrast(colors["on-bar"], colors["series-1"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2, 1.4.3)."""
    dark, light = sorted(luminance(it) for it in (one, other))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_host_of_which_nothing_is_remembered_has_its_page_all_the_same() -> None:
    host = replace(acceptance().hosts[0], history=(), run={}, metrics={}, checklist=())
    page = Page(rendered(alone(host)))
    assert "Figures" not in page.text
    assert not page.elements("svg")
    assert rendered(replace(acceptance(), hosts=()))


def test_without_matplotlib_there_is_a_page_and_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(rendered(acceptance()))
    assert not page.elements("svg")
    assert "Without plots: they need matplotlib (pip install 'venom-provisioner[verify]'" in page.text
    assert "All 4 measurements that are remembered" in page.text


def test_the_page_is_made_again_from_the_document_alone(tmp_path: Path) -> None:
    document.write(acceptance(), tmp_path)
    (tmp_path / "gpu1-ui.png").write_bytes(png())
    (tmp_path / "gpu1-narrow.png").write_bytes(png(39, 84))
    done = again(tmp_path / "report.json")
    assert done.returncode == 0
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == whole()


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"format": 99}', '{"format": 1}'])
def test_what_is_no_document_is_reported_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    done = again(tmp_path / "report.json")
    assert done.returncode == 1
    assert "required  a document that deploy/verify.py wrote" in done.stderr
    assert "Traceback" not in done.stderr


def test_hosts_of_which_none_was_reached_have_their_page(tmp_path: Path) -> None:
    nowhere = replace(acceptance(), hosts=acceptance().hosts[2:])
    page = report.write(nowhere, tmp_path / "reports" / "new").read_text(encoding="utf-8")
    assert "1 host of 1 could not be reached or observed: gpu2." in Page(page).text


def test_a_document_from_elsewhere_shows_only_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "reports"
    folder.mkdir()
    text = json.dumps(document.document(acceptance())).replace("gpu1-ui.png", "../secret.png")
    (folder / "report.json").write_text(text, encoding="utf-8")
    page = report.write(document.read(folder / "report.json"), folder)
    assert not Page(page.read_text(encoding="utf-8")).elements("img")


def again(path: Path) -> subprocess.CompletedProcess[str]:
    """What an operator runs to make a page anew."""
    command = [sys.executable, "-m", "roles.verification.report", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
