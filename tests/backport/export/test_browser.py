# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in a real browser: nothing of a stranger's runs, keys and filters work, it reads without a script.

Needs Chromium (Debian: apt install chromium) and playwright (.[browser]).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backport.export.html_page import to_html
from tests.backport.export.hostile import HOSTILE
from tests.backport.export.test_page import hostile

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as one:
        found = one.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "page.html"
    found.write_bytes(to_html([hostile(text) for text in HOSTILE], "1", 0.0))
    return found


def opened(browser: Any, file: Path, **how: Any) -> tuple[Any, list[str]]:
    page = browser.new_context(**how).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on(
        "request", lambda request: said.append(request.url) if "file:" not in request.url else 0
    )
    page.goto(file.as_uri())
    return page, said


def test_nothing_runs_and_nothing_is_fetched(browser: Any, file: Path) -> None:
    page, said = opened(browser, file)
    page.wait_for_timeout(200)
    assert said == []
    assert page.locator("script").count() == 1


def test_what_a_script_slipped_in_would_do_is_refused(browser: Any, file: Path) -> None:
    """The policy holds even where the escaping does not."""
    slipped = "<img src=x onerror=alert(1)><script>alert(2)</script></body>"
    file.write_text(file.read_text().replace("</body>", slipped))
    _, said = opened(browser, file)
    assert "1" not in said
    assert "2" not in said
    assert any("Content Security Policy" in line for line in said)


def test_keys_go_through_the_graph_and_filters_hide_rows(browser: Any, file: Path) -> None:
    page, said = opened(browser, file)
    first = page.locator(".graph").first.locator("button")
    first.nth(0).focus()
    assert "needed by 1" in page.locator("#detail-1").inner_text()
    page.keyboard.press("ArrowDown")
    assert "needs 1" in page.locator("#detail-1").inner_text()
    page.keyboard.press("Escape")
    assert "Point at a patch" in page.locator("#detail-1").inner_text()
    page.locator("[data-table=table-1] input[type=search]").fill("no such text")
    assert page.locator("#table-1 tbody tr:visible").count() == 0
    assert page.locator("[data-table=table-1] output").inner_text() == "0 of 2"
    assert said == []


def test_it_reads_without_a_script(browser: Any, file: Path) -> None:
    page, _ = opened(browser, file, java_script_enabled=False)
    assert page.locator("#table-1 tbody tr:visible").count() == 2
    assert page.locator(".tools:visible").count() == 0
