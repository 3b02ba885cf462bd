"""The UI in a real headless browser: `python -m roles.verification.browser`, JSON in, JSON out.

A process of its own: Playwright runs an event loop, which does not go with the threads that pyinfra's
gevent puts in the place of Python's.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response, sync_playwright

WIDE, NARROW = (1440, 900), (390, 844)  # a desk, a telephone
MOST_PAGES = 12
LOAD, QUIET = 30_000, 4_000  # ms for a page; ms for what it loads by itself afterwards

# Venom's own names for what a test of its cockpit uses (web-next/tests/perf/chat-latency.spec.ts).
PROMPT = '[data-testid="cockpit-prompt-input"]'
SEND = '[data-testid="cockpit-send-button"]'
ANSWERS = '[data-testid="conversation-bubble-assistant"]'

# Asked and awaited in the browser itself: how the backend says that the task stands, and that the cockpit
# shows the beginning of its answer. Marks of Markdown are no part of what is shown.
TASK_STATE = """async task => {
    const answer = await fetch(`/api/v1/tasks/${task}`);
    const {status, result} = await answer.json();
    return {over: !["PENDING", "PROCESSING"].includes(status), status, result};
}"""
SHOWN = """([selector, answer]) => {
    const words = text => text.replace(/[^\\p{L}\\p{N}]+/gu, " ").trim();
    const bubble = [...document.querySelectorAll(selector)].at(-1);
    return words(answer) && bubble && words(bubble.innerText).includes(words(answer).slice(0, 60));
}"""

# Without a card the browser draws on a processor, perhaps on one that the model needs: with the cockpit's
# shadows, blurs and animations a chat took 51 s on two cores, without them 15 to 24. No host serves these.
PLAIN = """
    const plain = new CSSStyleSheet();
    plain.replaceSync(`*, *::before, *::after {
        animation: none !important; transition: none !important;
        filter: none !important; backdrop-filter: none !important; box-shadow: none !important;
    }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, plain];
"""


@dataclass
class Visit:
    """What happened while pages were open."""

    pages: list[str] = field(default_factory=list)
    requests: int = 0
    failed: list[str] = field(default_factory=list)  # METHOD PATH: why
    console: list[str] = field(default_factory=list)  # errors that pages wrote or threw
    sockets: list[str] = field(default_factory=list)  # WebSockets that were opened
    title: str = ""
    overflow: int = 0  # pixels that a page is wider than the window
    answer: str = ""  # of a chat
    answered: float = 0.0  # seconds until Venom had the answer
    seconds: float = 0.0  # until it stood on the page, whole
    error: str = ""  # why it came to no end
    screenshot: str = ""


@contextmanager
def _page(browser: Browser, size: tuple[int, int], visit: Visit, settings: dict[str, Any]) -> Iterator[Page]:
    """A page of a fresh profile; all that goes wrong in it is recorded."""
    (width, height), login = size, settings["login"]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        ignore_https_errors=settings["self_made"],
        http_credentials={"username": login[0], "password": login[1]} if login else None,
        reduced_motion="reduce",
    )
    page = context.new_page()

    def failed(request: Request) -> None:
        why = request.failure or "failed"
        # What a page gives up by itself, when it is left or has read enough, is no fault.
        if why != "net::ERR_ABORTED":
            visit.failed.append(f"{_name(request)}: {why}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            visit.failed.append(f"{_name(response.request)}: status {response.status}")

    def counted(_: Request) -> None:
        visit.requests += 1

    def wrote(message: ConsoleMessage) -> None:
        # Of what could not be loaded the browser says so itself; that is among the requests.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            visit.console.append(message.text.splitlines()[0])

    page.on("request", counted)
    page.on("requestfailed", failed)
    page.on("response", answered)
    page.on("websocket", lambda it: visit.sockets.append(it.url))
    page.on("pageerror", lambda it: visit.console.append(f"{it.name}: {it.message}"))
    page.on("console", wrote)
    try:
        yield page
    finally:
        context.close()


def _name(request: Request) -> str:
    return f"{request.method} {urlsplit(request.url).path}"


def look(browser: Browser, settings: dict[str, Any]) -> Visit:
    """Open the start page and every page that it leads to."""
    visit = Visit()
    with _page(browser, WIDE, visit, settings) as page:
        _open(page, settings["url"], visit)
        visit.title = page.title()
        visit.screenshot = _shot(page, settings, "ui")
        for path in _links(page):
            _open(page, f"{settings['url']}{path}", visit)
    return visit


def look_narrow(browser: Browser, settings: dict[str, Any]) -> Visit:
    """Open the start page in a window as narrow as a telephone."""
    visit = Visit()
    with _page(browser, NARROW, visit, settings) as page:
        _open(page, settings["url"], visit)
        visit.overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        visit.screenshot = _shot(page, settings, "ui-narrow")
    return visit


def chat(browser: Browser, settings: dict[str, Any]) -> Visit:
    """Type a question into the cockpit, send it, and wait until the whole answer stands there."""
    visit, limit = Visit(), float(settings["chat_seconds"])
    with _page(browser, WIDE, visit, settings) as page:
        page.add_init_script(PLAIN)
        try:
            _open(page, settings["url"], visit)
            page.locator(PROMPT).fill(settings["question"], timeout=10_000)
            page.locator(f"{SEND}:enabled").wait_for(timeout=20_000)
            begun = time.monotonic()
            with page.expect_response(_is_new_task, timeout=limit * 1000) as sent:
                page.locator(SEND).click()
            task = sent.value.json()["task_id"]
            while not (end := page.evaluate(TASK_STATE, task))["over"]:
                if time.monotonic() - begun > limit:
                    raise TimeoutError(f"no end after {limit:.0f} s: the task is {end['status']}")
                page.wait_for_timeout(200)
            visit.answer = end["result"] or ""
            visit.answered = round(time.monotonic() - begun, 3)
            if end["status"] != "COMPLETED":
                raise TimeoutError(f"the task ended as {end['status']}: {visit.answer[:200]}")
            left = limit - (time.monotonic() - begun)
            page.wait_for_function(SHOWN, arg=[ANSWERS, visit.answer], timeout=left * 1000)
            visit.seconds = round(time.monotonic() - begun, 3)
        except (Error, TimeoutError, KeyError) as error:
            visit.error = _first_line(error)
        finally:
            page.locator(ANSWERS).last.scroll_into_view_if_needed(timeout=2_000) if visit.answer else None
            visit.screenshot = _shot(page, settings, "ui-chat")
    return visit


def _is_new_task(response: Response) -> bool:
    request = response.request
    return request.method == "POST" and urlsplit(request.url).path == "/api/v1/tasks"


def _open(page: Page, url: str, visit: Visit) -> None:
    visit.pages.append(urlsplit(url).path or "/")
    try:
        page.goto(url, timeout=LOAD, wait_until="load")
    except Error as error:
        visit.error = visit.error or _first_line(error)
        return
    try:
        page.wait_for_load_state("networkidle", timeout=QUIET)
    except Error:
        return  # a page that asks the backend again and again is never quiet


def _links(page: Page) -> list[str]:
    """Paths of the same origin that the page links to, in their order."""
    hrefs = page.eval_on_selector_all(
        "a[href]", "links => links.filter(a => a.origin === location.origin).map(a => a.pathname)"
    )
    return [it for it in dict.fromkeys(hrefs) if it != "/"][: MOST_PAGES - 1]


def _shot(page: Page, settings: dict[str, Any], name: str) -> str:
    file = f"{settings['prefix']}-{name}.png"
    try:
        page.screenshot(path=Path(settings["folder"]) / file, timeout=10_000)
    except Error:
        return ""
    return file


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].strip() if str(error) else type(error).__name__


def _give_way() -> None:
    """Let the browser draw with what the services leave of the processors, if they are on this machine.

    A session has its share of the processors, whatever the priority of its processes is, where the kernel
    groups them by session (autogroup, see sched(7)): so this is one, and a low one. Run by root the browser
    would raise its own threads above the services.
    """
    os.nice(10)
    with suppress(OSError):  # it leads a session, or the kernel has no such groups
        os.setsid()
        Path("/proc/self/autogroup").write_text("10")
    if os.geteuid() == 0 and sys.platform == "linux":
        drop, sys_nice = 24, 23  # PR_CAPBSET_DROP, CAP_SYS_NICE: linux/prctl.h, linux/capability.h
        ctypes.CDLL(None).prctl(drop, sys_nice, 0, 0, 0)


def main() -> None:
    """Do what standard input asks for, and say on standard output what was seen."""
    settings = json.load(sys.stdin)
    _give_way()
    parts: dict[str, Callable[[Browser, dict[str, Any]], Visit]] = {
        "look": look,
        "narrow": look_narrow,
        "chat": chat,
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=settings["browser"],
            args=[f"--host-resolver-rules={settings['rules']}"] if settings["rules"] else [],
        )
        visit = parts[settings["part"]](browser, settings)
        browser.close()
    json.dump(asdict(visit), sys.stdout)


if __name__ == "__main__":
    main()
