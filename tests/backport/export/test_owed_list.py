# SPDX-License-Identifier: GPL-2.0-or-later
"""The page's part on what a branch is owed, from the document that `owed --json` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backport.errors import UsageError
from backport.export.html_page import to_html
from backport.export.owed_list import read_owed
from tests.backport.export.hostile import HOSTILE
from tests.backport.export.test_page import Page
from tests.backport.survey.stable_repo import answer, make, take
from tests.backport.trees import backport, commit, lines


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A fix that 4.10 has, what mends it, and what asks for 4.10 and was set aside."""
    made = make(tmp_path / "repo")
    fix = commit(made, {"a.c": lines((3, "fix"))}, "fix")
    commit(made, {"a.c": lines((3, "fixed"))}, f'mend <b>\n\nFixes: {fix[:12]} ("fix")')
    asks = commit(made, {"b.c": lines((3, "x"))}, "asks\n\nBackport: 4.10+")
    take(made, "stable-4.10", fix)
    done = backport(made, "owed", "--ignore", asks, "--because", "not wanted")
    assert done.exit_code == 0, done.output
    return made


def written(repo: Path) -> Path:
    file = repo.parent / "owed.json"
    file.write_text(json.dumps(answer(repo, "owed")))
    return file


def test_it_is_on_the_page(repo: Path) -> None:
    page = repo.parent / "p.html"
    words = ("report", "--range", "master~1..master", "--html", str(page))
    done = backport(repo, *words, "--owed", str(written(repo)))
    assert done.exit_code == 0, done.output
    seen = " ".join(Page(page.read_bytes()).text.split())
    assert "Owed to stable-4.10: 2" in seen
    assert "Of 3 commits of master: 2 owed, 1 carried," in seen
    assert "mend <b> fixes" in seen
    assert "asks for 4.10+set aside: not wanted" in seen
    assert "goes on" in seen
    assert backport(repo, *words).exit_code == 0
    assert "Owed" not in Page(page.read_bytes()).text


def test_without_a_page_it_is_refused(repo: Path) -> None:
    done = backport(repo, "report", "--range", "master~1..master", "--owed", str(written(repo)))
    assert done.exit_code == 2
    assert "--html" in done.output


def spoiled(data: dict[str, Any], how: str) -> str:
    if how == "another format":
        data["format"] = 2
    elif how == "another document":
        data = {"format": 1, "phase": None}
    elif how == "numbers":
        data["account"]["carried"] += 1
    elif how == "a row is left out":
        data["owed"].pop()
    elif how == "a row without a commit":
        del data["owed"][0]["commit"]
    elif how == "a list":
        return "[]"
    text = json.dumps(data)
    return text[:40] if how == "cut off" else text


@pytest.mark.parametrize(
    "how",
    [
        "another format",
        "another document",
        "numbers",
        "a row is left out",
        "a row without a commit",
        "a list",
        "cut off",
    ],
)
def test_what_is_no_such_document_is_refused(repo: Path, how: str) -> None:
    file, page = written(repo), repo.parent / "p.html"
    file.write_text(spoiled(json.loads(file.read_bytes()), how))
    words = ("report", "--range", "master~1..master", "--html", str(page), "--owed", str(file))
    done = backport(repo, *words)
    assert done.exit_code == 2, done.output
    assert "owed.json" in done.output
    assert not page.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_owed(tmp_path / "none")


def test_strangers_text_stays_text(repo: Path) -> None:
    file = written(repo)
    data = json.loads(file.read_bytes())
    plain = Page(to_html([], "1", 0.0, [read_owed(file)]))
    for text in HOSTILE:
        for row in data["owed"]:
            row["subject"] = row["commit"] = text
        data["branch"] = data["upstream"] = text
        file.write_text(json.dumps(data))
        assert Page(to_html([], "1", 0.0, [read_owed(file)])).tags == plain.tags
