"""The report in a real browser: it fits the window, light and dark, and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from roles.verification import report
from roles.verification.browsing import browser
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


@pytest.mark.parametrize(
    ("width", "scheme", "background"),
    [
        (1280, "light", "rgb(246, 247, 248)"),
        (1280, "dark", "rgb(16, 19, 22)"),
        (820, "light", "rgb(246, 247, 248)"),
        (400, "dark", "rgb(16, 19, 22)"),
    ],
)
def test_the_page_fits_and_is_alone(
    chromium: Browser, page_file: Path, width: int, scheme: Literal["light", "dark"], background: str
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests: list[str] = []
    logged: list[str] = []
    page.on("request", lambda it: requests.append(it.url))
    page.on("console", lambda it: logged.append(it.text))
    page.goto(page_file.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(it => it.open = true)")
    assert [it for it in requests if not it.startswith("data:image/png;")] == [page_file.as_uri()]
    assert not logged
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
    shown = page.locator("img, svg").evaluate_all("all => all.filter(it => it.clientWidth > 100).length")
    assert shown == 6
    page.close()
