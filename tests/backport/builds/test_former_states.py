# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that are run again from a state that is past: what a file held, what was not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name

_V, _W = "echo 2 > v", "echo 2 > w"


def _tree(makefile: str, **files: str) -> str:
    made = {"Makefile": makefile, "v": "1", "w": "1", **files}
    texts = ((name.replace("_", "."), text) for name, text in made.items())
    return "; ".join(f"cat > {name} <<'EOF'\n{text}\nEOF\n:" for name, text in texts)


_CONFIGURED = "sh conf && make -j2"
_CONF = "mkdir -p deps; cat w > deps/out.P; chmod 640 deps/out.P"
_LISTS = "all: out other\ninclude deps/out.P\nother: out\n\techo 1 > other\n"
WRITTEN_AGAIN = [
    Case(
        f"a list that make has read, {how}",
        _tree(f"{_LISTS}out: v\n\tcp v out; {recipe}", conf=_CONF, w="# 1"),
        [_V, "echo 3 > v"],
        build=_CONFIGURED,
    )
    for how, recipe in (
        ("renamed over", "echo 'out: v' > deps/t; mv deps/t deps/out.P"),
        ("emptied and written", "echo 'out: v' > deps/out.P"),
        ("looked at before", "cat deps/out.P >> out; stat -c %a deps/out.P >> out; cat v > deps/t;"
         " sed -i 's/^/#/' deps/t; mv deps/t deps/out.P"),
    )
]  # fmt: skip
FOLDERS = [
    Case(
        "a folder that is made if it is not there",
        _tree(
            "all: a b\na: v\n\ttest -d o || { mkdir o; cp v o/first; }; cp v a\nb: a w\n\tcp w o/b; cp w b"
        ),
        [_V, _W],
    ),
    Case(
        "a folder within another",
        _tree(
            "all: a b\na: v\n\tfor d in o o/p; do test -d $$d || mkdir $$d; done; cp v o/p/a; cp v a\n"
            "b: a w\n\tcp w o/p/b; cp w b"
        ),
        [_V, _W],
    ),
    Case(
        "a folder that two find absent",
        _tree(
            "all: a b\na b: v w\n\ttest -d o || { sleep 0.3; mkdir o 2>/dev/null; :; }; cp v o/$@; cp v $@"
        ),
        [_V],
    ),
    Case(
        "a folder of a passing name is listed",
        _tree("out: v\n\tmkdir t$$$$; cp v t$$$$/x; ls t$$$$ > out; cat v >> out; rm -r t$$$$"),
        [_V],
    ),
]
NOT_YET_MADE = [
    Case(
        f"made after it was looked for by {how}",
        _tree(f"all: a b\na: v\n\t({look}; cat v) > a\nb: a w\n\t{make}; cp w b"),
        [_V, _W],
    )
    for how, look, make in (
        ("name", "if test -e b; then echo there; fi", ":"),
        ("listing", "echo *", ":"),
        ("a script's listing", "find . -name 'b*'", ":"),
        ("the name of its folder", "if test -d o; then echo there; fi", "mkdir o; cp w o/b"),
    )
]
_MADE = "all: a b\na: v gen\n\tsh gen\nb: a w\n\tmkdir -p o; cp w o/b; cp w b\n"
LINKS = [
    Case(
        "a link that is made where nothing was",
        _tree("out: v\n\trm -f l; ln -s v l; cat l > out"),
        [_V],
    ),
]
PIPES = [
    Case(
        "a shell between two makes runs more than these",
        _tree("all:\n\t+for x in 1 2; do $(MAKE) out$$x; cmp w w; done; :\nout%: v\n\tcp v $@"),
        [_V],
    ),
]
REPLAYED = [*PIPES, *WRITTEN_AGAIN, *FOLDERS, *NOT_YET_MADE, *LINKS]
_GEN = "test -d o || mkdir o; cp v o/a; cp v a"
_UMASK = "a folder that is made under another umask"
_LIST = "mkdir -p d; ls d > a; cat v >> a"
_HIDES = _tree("all: a b\na: v gen\n\tsh gen\nb: a w\n\tcp w d/f || :; cp w b\n", gen=_LIST, w="2")
IN_FULL = [
    Case(
        "what was there before changes",
        _tree(f"{_LISTS}out: v\n\tcat v deps/out.P > out; echo 'out: v' > deps/out.P", conf=_CONF, w="# 1"),
        ["echo '# 2' > w", _V],
        build=_CONFIGURED,
    ),
    Case(
        "another has read what was there before",
        _tree(
            f"{_LISTS}out: v old\n\tcp v out; echo 'out: v' > deps/out.P\nold: x\n\tcat x deps/out.P > old",
            conf=_CONF,
            w="# 1",
            x="1",
        ),
        ["echo 2 > x", _V],
        build=_CONFIGURED,
    ),
    Case(
        "a folder that a command makes comes into the tree",
        FOLDERS[0].tree,
        ["mkdir o; echo 1 > o/k", _V],
    ),
    Case(
        _UMASK,
        _tree(_MADE, gen="umask 077; mkdir -p o; cp v o/a; cp v a"),
        ["echo 'mkdir -p o; cp v o/a; cp v a' > gen", "echo 'umask 027; mkdir -p o; cp v o/a; cp v a' > gen"],
    ),
    *(
        Case(
            f"it makes {what} in a folder of others",
            _tree(
                "all: a b\na: v gen\n\tsh gen\nb: a w\n\tmkdir o/x; cp w o/x/b; cp w o/y; cp w b",
                gen=_GEN,
            ),
            [f"echo '{_GEN}; {more}' > gen", _V],
        )
        for what, more in (
            ("a file in a folder's place", "echo > o/x"),
            ("a folder in a file's place", "mkdir o/y; cp v o/y/z"),
            ("what they make", "cp v o/y"),
        )
    ),
    Case(
        "it makes a file of the folder in which others have made some since",
        _HIDES,
        [f"echo '{_LIST}; rm -r d; echo > d' > gen", _V],
    ),
    Case(
        "it writes what another has made since",
        _tree(_MADE, gen="ls > a; cat v >> a"),
        ["echo 'ls > a; cat v >> a; mkdir o; cp v o/b' > gen", _V],
    ),
    Case(
        "it makes the folder that another has made since",
        _tree(_MADE, gen="ls > a; cat v >> a"),
        ["echo 'ls > a; cat v >> a; mkdir -p o; cp v o/a' > gen", _V],
    ),
    Case(
        "it writes a file where another has made a folder since",
        _tree(_MADE, gen="ls > a; cat v >> a"),
        ["echo 'ls > a; cat v >> a; echo > o' > gen", _V],
    ),
    Case(
        "a file of the tree is changed after its folder was listed",
        _tree("all: a b\na: v\n\tls > a; cat v >> a\nb: a w\n\techo 1 >> x; cp w b", x="1"),
        [_V],
    ),
    *(
        Case(
            f"made while it {what}",
            _tree(f"all: a b\na: v\n\t{look}; cat v >> a\nb: w\n\tsleep 0.2; cp w b"),
            [_V],
        )
        for what, look in (
            ("may still list", "echo * > a; sleep 0.5"),
            ("looks again", "test -e b || echo 1 > a; sleep 0.5; test -e b && echo 2 >> a"),
        )
    ),
]  # fmt: skip
ALWAYS = {
    PIPES[0].name,
    *("a list that make has read, looked at before", "a folder within another"),
    *("a folder of a passing name is listed", "made after it was looked for by listing"),
    *("made after it was looked for by the name of its folder",),
    *("a link that is made where nothing was",),
}


@pytest.mark.parametrize("case", by_name(REPLAYED, ALWAYS))
def test_a_former_state_is_made_for_a_command(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
    assert all(": ok: by " in how for how in outcome.how[1:]), outcome.how


@pytest.mark.parametrize("case", by_name(IN_FULL, {IN_FULL[0].name, _UMASK}))
def test_what_cannot_be_made_so_is_built_in_full(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
    assert "in full" in outcome.how[1], outcome.how


@pytest.mark.parametrize(
    ("tree", "step", "why"),
    [
        (_HIDES, f"echo '{_LIST}; rm -r d; ln -s @OUT@/d d' > gen", "d/f cannot be put back"),
        (
            _tree("out: v\n\tmkdir -p c/d/e; cp v out\n") + "; mkdir -p c/d; touch c/f c/d/f",
            f"rm -r c/d; ln -s @OUT@/d c/d; {_V}",
            "c/d/e is now reached through a link",
        ),
    ],
    ids=["the command", "the step"],
)
def test_nothing_is_removed_through_a_link(tmp_path: Path, tree: str, step: str, why: str) -> None:
    """A command runs in the sandbox, and what is made ready for it does not."""
    outcome = run_case(Case("a link", tree, [("mkdir @OUT@/d/e", step)]), tmp_path, replay=True)
    assert sorted(path.name for path in (tmp_path / "out/d").iterdir()) == ["e", "f"]
    assert (tmp_path / "out/d/f").read_text() == "1\n"
    assert outcome.wrong == []
    assert why in outcome.how[1]
