"""The pages in a real browser: they fit the window, light and dark, and ask nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from fleet import page
from roles.verification import report
from roles.verification.browsing import browser
from tests.fleet.pages import fleet
from tests.roles.acceptances import acceptance, png


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an acceptance with failures, plots and screenshots."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "gpu1-ui.png").write_bytes(png(1280, 800))
    (folder / "gpu1-narrow.png").write_bytes(png(390, 844))
    return report.write(acceptance(), folder)


@pytest.fixture(scope="module")
def fleet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a fleet in which every kind of host is."""
    path = tmp_path_factory.mktemp("fleet") / "status.json"
    path.write_text(json.dumps(fleet()), encoding="utf-8")
    return page.write(path)


SIZES = pytest.mark.parametrize(
    ("width", "scheme", "background"),
    [
        (1280, "light", "rgb(246, 247, 248)"),
        (1280, "dark", "rgb(16, 19, 22)"),
        (820, "light", "rgb(246, 247, 248)"),
        (400, "dark", "rgb(16, 19, 22)"),
    ],
)


@SIZES
def test_the_report_fits_and_is_alone(
    chromium: Browser, page_file: Path, width: int, scheme: Literal["light", "dark"], background: str
) -> None:
    assert shown(chromium, page_file, width, scheme, background) == 6


@SIZES
def test_the_page_of_the_fleet_fits_and_is_alone(
    chromium: Browser, fleet_file: Path, width: int, scheme: Literal["light", "dark"], background: str
) -> None:
    assert shown(chromium, fleet_file, width, scheme, background) == 0


def shown(
    chromium: Browser, file: Path, width: int, scheme: Literal["light", "dark"], background: str
) -> int:
    """How many pictures a page shows, which fits a window of this width and has that background."""
    tab = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests: list[str] = []
    logged: list[str] = []
    tab.on("request", lambda it: requests.append(it.url))
    tab.on("console", lambda it: logged.append(it.text))
    tab.goto(file.as_uri())
    tab.locator("details").evaluate_all("all => all.forEach(it => it.open = true)")
    assert [it for it in requests if not it.startswith("data:image/png;")] == [file.as_uri()]
    assert not logged
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == background
    pictures: int = tab.locator("img, svg").evaluate_all(
        "all => all.filter(it => it.clientWidth > 100).length"
    )
    tab.close()
    return pictures
