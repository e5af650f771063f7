# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for what make and shells decide by (lists of headers, which file is newer between two passes,
what a pattern shows, a signal), and for what a step that failed has left; each step compared with a clean
build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name
from tests.backport.builds.test_process_cases import _tree

_V, _W = "echo 2 > v", "echo 2 > w"
_HEADER = "mkdir -p d; echo 'int x;' > d/x.h\n"
_INCLUDES = ["printf '#include \"d/x.h\"\\nint a;\\n' > a.c"]
LISTS = [
    Case(
        "a list names what no rule has made yet",
        _tree(
            'out: a.o\n\t$(MAKE) last\na.o: a.c v\n\tgcc -MMD -c a.c -o a.o; echo "last: $$(cat v)" > f.d\n'
            "-include f.d\nlast: ; touch out\n1 2 3:\n\techo $@ > $@",
            a_c="int a;",
        )
        + "echo w > v",
        [_V, "echo w > v"],
    ),
    Case(
        "a list gives prerequisites to what is made later",
        _tree(
            "all: a.o\n\t$(MAKE) list\n-include a.d\na.o: a.c\n\tgcc -MMD -MT list -c a.c\n"
            "list:\n\techo $^ > list",
            a_c="int a;",
        )
        + _HEADER,
        _INCLUDES,
    ),
    Case(
        "a list made from another gives prerequisites to what is made later",
        _tree(
            "all: a.P\n\t$(MAKE) dist\n-include a.P\na.P: a.d\n\tsed 's/^a.o:/dist:/' a.d > a.P\na.d: a.o\n"
            "a.o: a.c\n\tgcc -MMD -c a.c\ndist:\n\techo $^ > dist",
            a_c="int a;",
        )
        + _HEADER,
        _INCLUDES,
    ),
    *(
        Case(
            f"a list that make takes as a text, by {how}",
            _tree(
                f"all: a.o\n\t$(MAKE) last\na.o: a.c\n\tgcc -MMD -c a.c\nlast:\n\techo $({word}) > out",
                a_c="int a;",
            )
            + _HEADER,
            _INCLUDES,
        )
        for how, word in (("a shell", "shell cat a.d"), ("itself", "file < a.d"))
    ),
]
_PASSES = (
    "all: out\nout: in\n\tcat in > out; echo x >> d/count\nin: FORCE\n"
    "\tif [ -e d/pass ]; then cat w; else cat v; fi > t; touch d/pass; cmp -s t in || cp t in; rm t\nFORCE:"
)
PASSES = [
    Case("what is newer", _tree(_PASSES), [_V, _W, "echo 3 > w"], build="make; make"),
    Case(
        "what is newer, asked by a shell",
        _tree(f"{_PASSES}\nq: in\n\tcp in q"),
        [_V, _W],
        build="make q; make in; if make -q q; then echo same > r; else echo other > r; fi",
    ),
    Case(
        "what the shell read between two runs",
        _tree("out: P\n\tcat $(X) > out\nP:"),
        ["echo 2 > v", "echo 2 > w; echo 3 > v"],
        build="make X=v; x=$(cat out); make X=w; echo $x > r",
    ),
    Case(
        "a run of several that removes",
        _tree(
            "out: P\n\tif [ $(X)$$(cat v) = w1 ]; then rm out; else cat $(X) > out; fi\nP:\n"
            "see:\n\tif [ -e out ]; then echo 1; else echo 2; fi > d/see$(X)",
        ),
        [_V],
        build="make X=v; make see X=1; make X=w; make see X=2; make X=d/keep",
    ),
]


def _pattern(what: str, shell: str = "/bin/sh", flags: str = "") -> str:
    """c.x is made after the pattern was expanded: a clean build does not show it."""
    return _tree(
        f"SHELL={shell}\n{flags}\nall: a.x\n\t$(MAKE) out\n\t$(MAKE) c.x\n"
        f"out: v\n\techo {what} > out; cat v >> out\na.x c.x: w\n\tcp w $@"
    )


_BASH = "/bin/bash"
PATTERNS = [
    Case(f"pattern: {name}", tree, [_V], build="make")
    for name, tree in (
        ("a class of characters", _pattern("[[:alpha:]].x")),
        ("a class that is excluded", _pattern("[^b].x", _BASH)),
        ("braces", _pattern("{a,c}*.x", _BASH)),
        ("words in quotes that are run", _pattern('"$$(echo *.x)"')),
        ("a backslash", _pattern("*\\.x")),
        ("parentheses", _pattern("*.@(x|y)", _BASH, ".SHELLFLAGS=-O extglob -c")),
        ("letters of either case", _pattern("*.X", _BASH, ".SHELLFLAGS=-O nocaseglob -c")),
        (
            "in a file that is read",
            _tree(
                "all: a.x\n\t$(MAKE) out\n\t$(MAKE) c.x\nout: v\n\t. ./gen; ls *.q; true\n"
                "a.x c.x: w\n\tcp w $@",
                gen="echo *.x > out; cat v >> out",
            ),
        ),
        (
            "folders alone",
            _tree(
                "all: d/a/x\n\t$(MAKE) out\n\t$(MAKE) d/c/x\nout: v\n\techo d/*/ > out; cat v >> out\n"
                "d/a/x d/c/x: w\n\tmkdir -p $(@D); cp w $@"
            ),
        ),
    )
]
_SIGNALS = "[ $(cat v) = 2 ] && kill -USR1 $PPID\ncp v copy"
SIGNALS = [
    Case(
        "a signal that is no longer sent",
        _tree("all:", g=f"#!/bin/sh\n{_SIGNALS}") + "chmod +x g; echo 2 > v",
        ["echo 1 > v", _V],
        build="trap 'x=yes' USR1; x=no; ./g; echo $x > out",
    ),
    Case(
        "whether another process is there",
        _tree("all:", g="#!/bin/sh\nif kill -0 $1; then cat v; else cat w; fi > out")
        + "chmod +x g",
        [_V, _W],
        build="sleep 50 & ./g $!; kill $!; wait; true",
    ),
]
FAILURES = [
    Case(
        "date of what failed",
        _tree(
            "all: e\nb: v\n\tgrep -q 1 v && cp v b\nc: b\n\tsleep 0.05; touch c\n"
            "e: b c w\n\tif [ b -nt c ]; then echo 1 > e; else echo 2 > e; fi; cat w >> e"
        ),
        [_V, "echo 11 > v", "echo 12 > w"],
        build="make -j1",
    ),
    Case(
        "date of what failed after it was written, and of its folder",
        _tree(
            "all: e\nd/b: v\n\tcp v d/b; grep -q 1 v\nc: d/b\n\tsleep 0.05; touch c\ne: d/b c w\n"
            "\tif [ d/b -nt c ]; then echo 1 > e; else echo 2 > e; fi\n"
            "\tif [ d -nt c ]; then echo 1 >> e; else echo 2 >> e; fi; cat w >> e"
        ),
        [_V, "echo 11 > v", "echo 12 > w"],
        build="make -j1",
    ),
    Case(
        "what the shell has read was made anew before the failure",
        _tree("a: v\n\tcp v a\nb: w a\n\tgrep -q $$(cat w) a && cp a b"),
        [_V, _W, "echo 3 > v", "echo 3 > w"],
        build="make a && x=$(cat a) && make b && echo $x > c",
    ),
]
ALWAYS = {
    *("a list names what no rule has made yet", "what is newer", "date of what failed"),
    *("pattern: a class of characters", "a signal that is no longer sent"),
}
"""One of each kind is run always."""


@pytest.mark.parametrize("case", by_name([*LISTS, *PASSES, *PATTERNS, *SIGNALS, *FAILURES], ALWAYS))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
