# SPDX-License-Identifier: GPL-2.0-or-later
"""``mend``: which change of the series repairs a step, and what stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.backport.export.hostile import HOSTILE
from tests.backport.trees import Files, backport, branch_with, git, new_repo, refs

BUILD = "gcc -Wall -Wno-bidi-chars -Werror -c a.c b.c"
FORM = "--format=%an|%ae|%ad|%s|%b"


def body(*changed: tuple[int, str], name: str = "a", count: int = 40) -> str:
    """A C file of functions, a line each, some of the lines others."""
    table = {n: f"int {name}{n}(void) {{ return {n}; }}" for n in range(1, count + 1)}
    table.update(dict(changed))
    return "".join(f"{text}\n" for _, text in sorted(table.items()))


def series(tmp_path: Path, *steps: tuple[str, Files], **more: str) -> Path:
    """``stable`` with a.c, b.c and h.h, and the steps on ``topic``."""
    start = {"a.c": '#include "h.h"\n' + body(), "b.c": body(name="b"), "h.h": "\n" * 20}
    made = new_repo(tmp_path / "repo", {**start, ".gitignore": "*.o\n", **more})
    branch_with(made, "topic", "stable", *steps)
    return made


def mend(repo: Path, *words: str, code: int = 0) -> dict[str, Any]:
    given = ("mend", "--range", "stable..topic", "--build", BUILD, "--to", "mended")
    done = backport(repo, *given, *words, "--json", "-")
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    from tests.backport.report.test_schemas import check

    check("mend", found)
    return found


def a(*changed: tuple[int, str]) -> str:
    return '#include "h.h"\n' + body(*changed)


def h(*changed: tuple[int, str]) -> str:
    table = dict.fromkeys(range(1, 21), "") | dict(changed)
    return "".join(f"{text}\n" for _, text in sorted(table.items()))


def every_step_builds(repo: Path) -> bool:
    words = ("check", "--range", "stable..mended", "--build", BUILD, "--validate", "build")
    return backport(repo, *words).exit_code == 0


def subjects(repo: Path, branch: str = "mended") -> list[str]:
    return git(repo, "log", "--reverse", "--format=%s", f"stable..{branch}").split("\n")


def same_end(repo: Path) -> bool:
    return git(repo, "rev-parse", "mended^{tree}") == git(repo, "rev-parse", "topic^{tree}")


def test_a_header_that_the_tree_has_already_is_included_where_it_is_needed(tmp_path: Path) -> None:
    """Xen's 4.10.0-shim-comet-3 from its 47th step on: no step brings the name, a later one its header."""
    here = '#include "h.h"\n#include "k.h"\n'
    repo = series(
        tmp_path,
        ("uses", {"a.c": a((5, "int a5(void) { return THERE; }"))}),
        ("apart", {"b.c": body((3, "int b3(void) { return 34; }"), name="b")}),
        ("includes", {"a.c": here + body((5, "int a5(void) { return THERE + 1; }"))}),
        **{"k.h": "#define THERE 4\n"},
    )
    found = mend(repo)
    (broken,) = found["broken"]
    assert broken["number"] == 1
    assert "step 3 'includes' includes k.h, which has THERE" in broken["why"][0]
    # The base, the three steps of the result, the first as it was, an audit of the first and of the last.
    assert found["builds"] <= 7
    assert git(repo, "show", "mended~2:a.c").startswith(here.rstrip())
    assert "THERE + 1" not in git(repo, "show", "mended~2:a.c")
    assert subjects(repo) == ["uses", "apart", "includes"]
    assert every_step_builds(repo)
    assert same_end(repo)


def test_what_was_proposed_is_taken_without_a_build(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("one", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("brings", {"h.h": h((4, "#define LATER 4"))}),
    )
    words = ("mend", "--range", "stable..topic", "--build", BUILD)
    assert backport(repo, *words).exit_code == 0
    found = mend(repo)
    assert found["builds"] == 0
    assert found["failed"] == [2]
    assert subjects(repo) == ["one", "brings", "uses"]


def test_a_repair_that_only_a_fast_build_passes_is_none(tmp_path: Path) -> None:
    """The makefiles, so to say, know no dependency: what has been built once is good."""
    uses, later = "int a5(void) { return LATER + NEVER; }", "int a5(void) { return LATER; }"
    repo = series(
        tmp_path,
        ("uses", {"a.c": a((5, uses))}),
        ("brings", {"h.h": h((4, "#define LATER 4"))}),
        (
            "repairs",
            {"a.c": a((5, later)), "b.c": body((3, "int b3(void) { return 3+0; }"), name="b")},
        ),
        **{".gitignore": "built\n"},
    )
    words = (
        "--range",
        "stable..topic",
        "--build",
        f"[ -e built ] || {{ {BUILD} && touch built; }}",
    )
    assert backport(repo, "check", *words, "--validate", "build", "--keep-going").exit_code == 1
    done = backport(repo, "mend", *words, "--to", "mended")
    assert "comes to another verdict: every step is built as a whole" in done.output
    assert done.exit_code == 0, done.output
    assert "NEVER" not in git(repo, "show", "mended~1:a.c")
    assert every_step_builds(repo)


def test_what_breaks_between_by_itself_is_no_reason_against_a_repair(tmp_path: Path) -> None:
    """The first lacks a header that the third includes; the second has an error that the fourth mends."""
    here = '#include "h.h"\n#include "k.h"\n'
    uses = (5, "int a5(void) { return THERE; }")
    typo, whole = (20, "int a20(void) { return 0 }"), (20, "int a20(void) { return 0; }")
    repo = series(
        tmp_path,
        ("uses", {"a.c": a(uses)}),
        ("typo", {"a.c": a(uses, typo)}),
        ("includes", {"a.c": here + body((5, "int a5(void) { return THERE + 1; }"), typo)}),
        (
            "semicolon",
            {
                "a.c": here + body((5, "int a5(void) { return THERE + 1; }"), whole),
                "b.c": body((3, "int b3(void) { return 33; }"), name="b"),
            },
        ),
        **{"k.h": "#define THERE 4\n"},
    )
    found = mend(repo)
    assert [one["subject"] for one in found["broken"]] == ["uses", "typo"]
    assert every_step_builds(repo)
    assert same_end(repo)


def test_what_a_step_needs_goes_before_it(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("one", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("apart", {"b.c": body((3, "int b3(void) { return 34; }"), name="b")}),
        ("brings", {"h.h": h((4, "#define LATER 4"))}),
    )
    found = mend(repo)
    assert found["failed"] == [2]
    assert found["untried"] == [3]
    (broken,) = found["broken"]
    assert broken["number"] == 2
    assert "step 4 'brings' brings LATER" in broken["why"][0]
    assert subjects(repo) == ["one", "brings", "uses", "apart"]
    assert every_step_builds(repo)
    assert same_end(repo)
    assert git(repo, "rev-parse", "mended~3") == git(repo, "rev-parse", "topic~3"), "not touched"


def test_what_goes_before_a_step_brings_what_it_needs(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("below", {"a.c": a((5, "int a5(void) { return LATER; }")), "h.h": h((4, "#define B 4"))}),
        (
            "brings",
            {"h.h": h((4, "#define B 5"), (5, "#define LATER B"))},
        ),
    )
    mend(repo)
    assert subjects(repo) == ["below", "brings", "uses"]
    assert every_step_builds(repo)
    assert same_end(repo)


def test_only_the_lines_that_repair_move_where_the_patch_cannot(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("breaks", {"a.c": a((5, "int a5(void) { return 55 }"))}),
        (
            "between",
            {"a.c": a((5, "int a5(void) { return 55 }"), (20, "int a20(void) { return 0; }"))},
        ),
        (
            "repairs, too",
            {
                "a.c": a((5, "int a5(void) { return 55; }"), (20, "int a20(void) { return 1; }")),
                "b.c": body((3, "int b3(void) { return 33; }"), name="b"),
            },
        ),
    )
    found = mend(repo)
    assert subjects(repo) == subjects(repo, "topic")
    line = "1 line of a.c (int a5(void) { return 55; })"
    done = f"{line} goes from step 3 'repairs, too' to step 1 'breaks'"
    assert found["broken"][0]["mended"] == done
    assert every_step_builds(repo)
    assert same_end(repo)
    assert git(repo, "diff", "--stat", "mended~1", "mended") != ""
    wanted = git(repo, "log", FORM, "stable..topic")
    assert git(repo, "log", FORM, "stable..mended") == wanted


def test_what_is_not_used_before_goes_to_where_it_is_used(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        (
            "makes",
            {
                "a.c": a((5, "static int quiet(void) { return 5; }")),
                "b.c": body((3, "int b3(void) { return 33; }"), name="b"),
            },
        ),
        (
            "uses",
            {
                "a.c": a(
                    (5, "static int quiet(void) { return 5; }"),
                    (6, "int a6(void) { return quiet(); }"),
                ),
                "b.c": body((3, "int b3(void) { return 34; }"), name="b"),
            },
        ),
    )
    found = mend(repo)
    assert found["failed"] == [1]
    assert every_step_builds(repo)
    assert same_end(repo)
    assert len(subjects(repo)) == 2


def test_a_step_that_two_later_ones_repair_together(tmp_path: Path) -> None:
    """Each brings half of what is lacking, and changes what the step has made."""
    one, two = (5, "int a5(void) { return ONE; }"), (15, "int a15(void) { return TWO; }")
    more, most = (5, "int a5(void) { return ONE + 1; }"), (15, "int a15(void) { return TWO + 1; }")
    has, both = (4, "#define ONE 1"), (14, "#define TWO 2")
    repo = series(
        tmp_path,
        ("uses both", {"a.c": a(one, two)}),
        ("brings one", {"a.c": a(more, two), "h.h": h(has), "b.c": body((3, "int b3;"), name="b")}),
        ("brings two", {"a.c": a(more, most), "h.h": h(has, both), "b.c": body(name="b")}),
    )
    found = mend(repo)
    (broken,) = found["broken"]
    assert "from step 2 " in broken["mended"]
    assert "from step 3 " in broken["mended"]
    assert every_step_builds(repo)
    assert same_end(repo)
    assert git(repo, "log", FORM, "stable..mended") == git(repo, "log", FORM, "stable..topic")


def test_an_error_that_stays_is_not_handed_on(tmp_path: Path) -> None:
    never = (5, "int a5(void) { return NEVER; }")
    repo = series(
        tmp_path,
        ("uses", {"a.c": a(never), "b.c": body((3, "int b3(void) { return 4; }"), name="b")}),
        ("apart", {"a.c": a(never, (20, "int a20(void) { return 21; }"))}),
    )
    found = mend(repo, code=1)
    assert found["failed"] == [1, 2]
    assert [one["mended"] for one in found["broken"]] == [None, None]
    assert not found["changed"]


def test_several_breaks_in_one_series(tmp_path: Path) -> None:
    one = (5, "int a5(void) { return ONE; }")
    two = (15, "int a15(void) { return TWO; }")
    repo = series(
        tmp_path,
        ("uses one", {"a.c": a(one)}),
        ("uses two", {"a.c": a(one, two)}),
        ("brings one", {"h.h": h((4, "#define ONE 1"))}),
        ("brings two", {"h.h": h((4, "#define ONE 1"), (14, "#define TWO 2"))}),
    )
    found = mend(repo)
    assert sorted(found["failed"] + found["untried"]) == [1, 2, 3]
    assert len(found["broken"]) == 2
    assert subjects(repo) == ["brings one", "uses one", "brings two", "uses two"]
    assert every_step_builds(repo)
    assert same_end(repo)


def test_what_nothing_repairs_is_left_and_upstream_is_named(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("good", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
    )
    branch_with(repo, "up", "stable", ("upstream brings it", {"h.h": h((4, "#define LATER 4"))}))
    before = refs(repo)
    found = mend(repo, "--upstream", "up", code=1)
    assert found["taken"] == []
    assert found["broken"][0]["mended"] is None
    assert "'upstream brings it'" in found["broken"][0]["advice"][0]
    assert not found["changed"]
    assert refs(repo) == before


def test_what_upstream_has_comes_in_where_the_user_says_so(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("good", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("more", {"b.c": body((3, "int b3(void) { return 34; }"), name="b")}),
    )
    branch_with(
        repo,
        "up",
        "stable",
        ("apart", {"h.h": h((18, "#define FAR 18"))}),
        ("upstream brings it", {"h.h": h((4, "#define LATER 4"), (18, "#define FAR 18"))}),
    )
    origin = git(repo, "rev-parse", "up")
    found = mend(repo, "--upstream", "up", "--prerequisites", "take")
    assert found["taken"] == [origin]
    assert subjects(repo) == ["good", "upstream brings it", "uses", "more"]
    assert every_step_builds(repo)
    assert f"(cherry picked from commit {origin})" in git(
        repo, "log", "-1", "--format=%b", "mended~2"
    )
    added = git(repo, "diff", "--unified=0", "topic", "mended")
    assert [x for x in added.split("\n") if x.startswith(("+", "-"))][2:] == [
        "-",
        "+#define LATER 4",
    ]


def test_what_upstream_has_and_does_not_repair_stays_out(tmp_path: Path) -> None:
    repo = series(tmp_path, ("uses", {"a.c": a((5, "int a5(void) { return LATER + NEVER; }"))}))
    branch_with(repo, "up", "stable", ("upstream brings it", {"h.h": h((4, "#define LATER 4"))}))
    found = mend(repo, "--upstream", "up", "--prerequisites", "take", code=1)
    assert not found["changed"]
    assert found["taken"] == []


@pytest.mark.parametrize(
    ("mark", "subject", "text"),
    [("fixup", "one", "A body."), ("squash", "one", "A body.\n\nMore."), ("amend", "new", "More.")],
)
def test_marked_commits_are_folded(tmp_path: Path, mark: str, subject: str, text: str) -> None:
    one = (5, "int a5(void) { return 55; }")
    message = f"{mark}! one\n\n" + ("new\n\nMore." if mark == "amend" else "More.")
    repo = series(
        tmp_path,
        ("one\n\nA body.", {"a.c": a(one)}),
        ("two", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        (message, {"a.c": a(one, (6, "int a6(void) { return 66; }"))}),
    )
    mend(repo)
    assert subjects(repo) == [subject, "two"]
    assert git(repo, "log", "-1", "--format=%b", "mended~1").strip() == text
    assert same_end(repo)


def test_a_marked_commit_without_its_own_stays_and_is_named(tmp_path: Path) -> None:
    repo = series(
        tmp_path, ("fixup! never seen", {"a.c": a((5, "int a5(void) { return 5 + 0; }"))})
    )
    found = mend(repo)
    assert not found["changed"]
    assert "no commit before it has that subject" in found["notes"][0]


def test_a_fixup_that_is_the_repair(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("breaks", {"a.c": a((5, "int a5(void) { return 5 }"))}),
        ("two", {"b.c": body((3, "int b3(void) { return 33; }"), name="b")}),
        ("fixup! breaks", {"a.c": a((5, "int a5(void) { return 5; } /* whole */"))}),
    )
    found = mend(repo)
    assert found["untried"] == [1, 2]
    assert found["broken"] == []
    assert subjects(repo) == ["breaks", "two"]
    assert every_step_builds(repo)


def test_nothing_to_mend(tmp_path: Path) -> None:
    repo = series(tmp_path, ("one", {"a.c": a((5, "int a5(void) { return 55; }"))}))
    before = refs(repo)
    found = mend(repo)
    assert not found["changed"]
    assert refs(repo) == before


def test_a_base_that_does_not_build_is_no_patchs_fault(tmp_path: Path) -> None:
    repo = series(tmp_path, ("one", {"b.c": "int b(void) { return 1; }\n"}), **{"a.c": "x\n"})
    words = ("mend", "--range", "stable..topic", "--build", BUILD)
    done = backport(repo, *words)
    assert done.exit_code == 1
    assert "the tree before the first patch does not build" in done.output


def test_a_machine_that_cannot_judge_mends_nothing(tmp_path: Path) -> None:
    repo = series(tmp_path, ("one", {"a.c": a((5, "int a5(void) { return 55; }"))}))
    words = ("mend", "--range", "stable..topic", "--to", "mended", "--build")
    done = backport(repo, *words, "grep -q 55 a.c && exit 125; true")
    assert done.exit_code == 125
    assert "nothing was mended" in done.output
    assert "mended" not in git(repo, "branch")


def test_a_series_is_mended_before_it_is_applied(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("brings", {"h.h": h((4, "#define LATER 4"))}),
    )
    words = ("--branch", "stable", "--series", "stable..topic", "--build", BUILD)
    done = backport(repo, "mend", *words)
    assert done.exit_code == 0, done.output
    assert "1 of 2 steps built before, 2 of 2 now" in done.output
    assert "this is a proposal" in done.output
    assert "2:  " in done.output
    shown = [line.split()[:2] for line in done.output.split("\n") if line.startswith("  ok ")]
    assert shown == [["ok", "1/2"], ["ok", "2/2"]]


@pytest.mark.parametrize("to", ["stable", "no..name"])
def test_a_branch_that_cannot_be_made_is_refused_first(tmp_path: Path, to: str) -> None:
    repo = series(tmp_path, ("one", {"a.c": a((5, "int a5(void) { return 55; }"))}))
    done = backport(repo, "mend", "--range", "stable..topic", "--build", BUILD, "--to", to)
    assert done.exit_code == 2


def test_a_mended_branch_is_undone(tmp_path: Path) -> None:
    repo = series(
        tmp_path,
        ("uses", {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("brings", {"h.h": h((4, "#define LATER 4"))}),
    )
    before = refs(repo)
    mend(repo)
    assert backport(repo, "undo").exit_code == 0
    assert refs(repo) == before


@pytest.mark.parametrize("text", HOSTILE[:2])
def test_strangers_text_is_shown_as_text(tmp_path: Path, text: str) -> None:
    repo = series(
        tmp_path,
        (text, {"a.c": a((5, "int a5(void) { return LATER; }"))}),
        ("brings", {"h.h": h((4, "#define LATER 4"), (6, f"/* {text} */"))}),
    )
    done = backport(repo, "mend", "--range", "stable..topic", "--build", BUILD)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def test_commits_with_a_merge_among_them_are_refused(tmp_path: Path) -> None:
    repo = series(tmp_path, ("one", {"a.c": a((5, "int a5(void) { return 55; }"))}))
    branch_with(repo, "side", "stable", ("side", {"s": "s\n"}))
    git(repo, "checkout", "-q", "topic")
    git(repo, "merge", "-q", "-m", "merge", "side")
    done = backport(repo, "mend", "--range", "stable..topic", "--build", BUILD)
    assert done.exit_code == 2
    assert "a merge" in done.output


def test_what_is_staged_goes_to_the_commits_that_it_belongs_to(tmp_path: Path) -> None:
    one, two = (5, "int a5(void) { return 55; }"), (20, "int a20(void) { return 200; }")
    repo = series(tmp_path, ("one", {"a.c": a(one)}), ("two", {"a.c": a(one, two)}))
    git(repo, "checkout", "-q", "topic")
    mended = (5, "int a5(void) { return 555; }"), (20, "int a20(void) { return 222; }")
    (repo / "a.c").write_text(a(*mended, (35, "int a35(void) { return 0; }")))
    git(repo, "add", "a.c")
    index = git(repo, "write-tree")
    found = mend(repo, "--staged")
    assert found["notes"] == [
        "'one' gets 1 line of a.c",
        "'two' gets 1 line of a.c",
        "belongs to none of them, and stays staged: 1 line of a.c",
    ]
    assert git(repo, "show", "mended:a.c") == a(*mended).rstrip("\n")
    assert git(repo, "show", "mended~1:a.c") == a(mended[0]).rstrip("\n")
    assert git(repo, "write-tree") == index
    assert every_step_builds(repo)


def test_what_is_staged_is_a_change_to_head(tmp_path: Path) -> None:
    repo = series(tmp_path, ("one", {"a.c": a((5, "int a5(void) { return 55; }"))}))
    words = ("mend", "--range", "stable..topic", "--build", BUILD, "--staged")
    done = backport(repo, *words)
    assert done.exit_code == 2
    assert "is a change to HEAD" in done.output
