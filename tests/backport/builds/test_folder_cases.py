# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for folders: made by several commands, empty, renamed, gone; what commands leave for each other
outside of the tree; what a folder or a file outside shows of itself.  Each step compared with a clean build.

Most lies two folders deep: make lists the folder of its makefile, so that a new name there is a whole build.
"""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name
from tests.backport.builds.test_process_cases import _tree

_V, _W = "echo 2 > v", "echo 2 > w"
_TWO = "all: a b\na: gen v\n\tsh gen\nb: a w\n\tmkdir -p d/o; cp w b"
_EMPTY = "mkdir d/e; touch d/e/k"
_GOES = ["git rm -q d/e/k", _EMPTY]
_IS_IT = "if [ -d d/o ]; then echo 1; else echo 2; fi"


def _one(recipe: str) -> str:
    """Rules for ``out``, from v."""
    return _tree(f"out: v\n\t{recipe}") + _EMPTY


GOING = [
    Case(
        "no longer made, and another wants it",
        _tree(_TWO, gen="mkdir -p d/o; cp v a"),
        ["echo 'cp v a' > gen", "echo 'mkdir -p d/o; cp v a' > gen"],
    ),
    Case(
        "no longer made, and another looks for it",
        _tree(
            f"all: a b\na: gen v\n\tsh gen\nb: a w\n\t{_IS_IT} > b; cat w >> b",
            gen="mkdir -p d/o; cp v a",
        ),
        ["echo 'cp v a' > gen", "echo 'mkdir -p d/o; cp v a' > gen"],
    ),
    Case(
        "was empty", _one("rm d/e/k && rmdir d/e && cp v out"), ["touch d/e/n", "git rm -q d/e/n"]
    ),
    Case(
        "was emptied by another",
        _tree("out: b v\n\trmdir d/e && cp v out\nb: w\n\trm -f d/e/k; cp w b") + _EMPTY,
        ["touch d/e/n", "git rm -q d/e/n"],
    ),
    Case("a folder was made in it", _one("mkdir d/e/s && cp v out"), _GOES),
    Case("a file passed through it", _one("cp v d/e/t && cat d/e/t > out && rm d/e/t"), _GOES),
    Case("a folder passed through it", _one("mkdir d/e/t && rmdir d/e/t && cp v out"), _GOES),
    Case(
        "a script comes to pass a file through it",
        _tree("out: g v\n\tsh g", g="cp v out") + _EMPTY,
        ["echo '(cp v d/e/t && cat d/e/t && rm d/e/t || echo no) > out 2> /dev/null' > g", *_GOES],
    ),
]
MADE = [
    *(
        Case(
            f"another's, by who comes to {how}", _tree(_TWO, gen="cp v a"), [f"echo '{gen}' > gen"]
        )
        for how, gen in (
            ("look for it", f"{_IS_IT} > a"),
            ("enter it", "(cd d/o 2> /dev/null && echo in) > a; true"),
            (
                "pass a file through it",
                "(cp v d/o/t && rm d/o/t && echo in || echo no) > a 2> /dev/null",
            ),
        )
    ),
    *(
        Case(
            f"its own, which was {how} before",
            _tree(
                f"all: a b\na: v\n\t{recipe}; mkdir -p d/o; cp v a\nb: a w\n\tcp w d/o/b; cp w b"
            ),
            [_V, _W],
        )
        for how, recipe in (("listed", "ls d > l"), ("looked for", f"{_IS_IT} > l"))
    ),
]
_MOVES = "import ctypes; ctypes.CDLL(None).renameat2(-100, b't', -100, b'u', 2)"
RENAMED = [
    Case(
        "of the tree, renamed",
        _tree("out: v\n\tmv d e; cat e/keep v > out"),
        ["echo 2 > d/keep", _V],
    ),
    Case(
        "with a link in it, renamed and removed",
        _tree("out:\n\tmkdir t; ln -s ../v t/l; mv t u; cat u/l > out; rm -r u"),
        [_V],
    ),
    Case(
        "exchanged",
        _tree(
            "out:\n\tmkdir t u; ln -s ../v t/l; ln -s ../w u/l; python3 x.py; cat t/l > out; rm -r t u",
            x_py=_MOVES,
        ),
        [_V, _W],
    ),
    Case(
        "links exchanged",
        _tree("out:\n\tln -s v t; ln -s w u; python3 x.py; cat t > out", x_py=_MOVES),
        [_V, _W],
    ),
]
LEFT = [
    Case(
        f"left in {place} for who comes to {how}",
        _tree(f"all: a b\na: v\n\tcp v {place}/case-q; cp v a\nb: a gen w\n\tsh gen", gen="cp w b"),
        [f"echo '{gen}' > gen", _W],
    )
    for place, how, gen in (
        ("/tmp", "read it", "cat /tmp/case-q > b 2> /dev/null || cp w b"),
        ("/tmp", "list it", "(ls /tmp | grep case-q || echo none) > b"),
        ("/dev/shm", "read it", "cat /dev/shm/case-q > b 2> /dev/null || cp w b"),
    )
]


def _outside(name: str, recipe: str, *changes: str) -> Case:
    steps = [(change, f"echo {n} > w") for n, change in enumerate(changes, 2)]
    return Case(name, _tree(f"out: v\n\t{recipe} > out"), steps)


_SHOWS = "stat -c '%u %g' @OUT@/"
OUTSIDE = [
    *(
        _outside(f"owner of {what}", f"{_SHOWS}{path}", f"chown -h 1000:1000 @OUT@/{path}")
        for what, path in (("a file", "o.h"), ("a folder", "d"), ("a link", "cur"))
    ),
    _outside(
        "attribute of a folder outside",
        "python3 -c 'import os; print(os.listxattr(\"@OUT@/d\"))'",
        'python3 -c \'import os; os.setxattr("@OUT@/d", "user.x", b"1")\'',
    ),
    _outside(
        "kinds of names outside",
        "find @OUT@/d -type l",
        "rm @OUT@/d/f; ln -s ../flag @OUT@/d/f",
        "rm @OUT@/d/f; mkdir @OUT@/d/f",
    ),
]
_LATER = "\nb: a\n\tsleep 1.1; touch b\na: v\n\tcp v a"
CHANGE_TIMES = [
    Case(
        f"change times in {language}",
        _tree(f"out: b w p.x\n\t{program} p.x{_LATER}", p_x=text),
        [_V, _W],
    )
    for language, program, text in (
        (
            "Perl, by a list",
            "perl",
            "sub c { my ($d,$i,$m,$n,$u,$g,$r,$s,$at,$mt,$ctime) = stat($_[0]); $ctime }"
            " open O, '>', 'out'; open W, 'w'; print O c('a') > c('b'), <W>;",
        ),
        (
            "Tcl",
            "tclsh",
            "file stat a A; file stat b B; set o [open out w]\n"
            "puts $o [expr {$A(ctime) > $B(ctime)}]; puts $o [read [open w]]; close $o",
        ),
        (
            "Node",
            "node",
            "const f = require('fs'), c = n => f.statSync(n).ctime;"
            " f.writeFileSync('out', (c('a') > c('b')) + f.readFileSync('w', 'utf8'))",
        ),
        (
            "Python, unpacked",
            "python3",
            "import os\ndef c(n):\n    (mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime) ="
            " os.stat(n)\n    return ctime\nprint(c('a') > c('b'), open('w').read(), file=open('out', 'w'))",
        ),
    )
]
ALWAYS = {
    *("no longer made, and another wants it", "was empty"),
    *("owner of a file", "left in /tmp for who comes to read it"),
}
"""One of most kinds is run always."""
_PERHAPS = ("tclsh", "node")
"""Programs that not every machine has."""
_CASES = [*GOING, *MADE, *RENAMED, *LEFT, *OUTSIDE, *CHANGE_TIMES]


@pytest.mark.parametrize("case", by_name(_CASES, ALWAYS))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    if any(f"\t{name} " in case.tree and which(name) is None for name in _PERHAPS):
        # Change times by Tcl and Node: not on every machine, and too big to be installed for two cases.
        pytest.skip("its program is not installed")
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
