# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for what a command learns from a path where nothing is: by which error, what it would have made
there, what it makes there and removes again; each step compared with a clean build.

All lies below ``d``: make lists the folder of its makefile, so that a new name there is a whole build.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name
from tests.backport.builds.test_process_cases import _tree

_ERROR = (
    "import os\ntry: r = os.stat('d/PATH') and 0\nexcept OSError as e: r = e.errno\n"
    "print(r, file=open('out', 'w'))"
)
_FOLDER = ["mkdir d/e; echo 1 > d/e/k", "git rm -rq d/e"]
"""A folder comes and goes."""


def _stat(path: str) -> str:
    return _tree("out: w p.py\n\tpython3 p.py", p_py=_ERROR.replace("PATH", path))


ERRORS = [
    Case(
        "beneath a file",
        _stat("v/x") + "echo 1 > d/v",
        [
            "git rm -q d/v",
            "echo 1 > d/v",
            "git rm -q d/v; mkdir d/v; echo 1 > d/v/k",
            "echo 5 > d/v/x",
        ],
    ),
    Case(
        "beneath a file, in words",
        _tree("out: w\n\t(cat d/v/x 2>&1 || true) > out") + "echo 1 > d/v",
        ["git rm -q d/v", "mkdir d/v; echo 1 > d/v/k", "git rm -rq d/v; echo 1 > d/v"],
    ),
    Case("a file with a slash", _stat("v/") + "echo 1 > d/v", ["git rm -q d/v", "echo 1 > d/v"]),
    Case(
        "beneath a file, through a link",
        _stat("l/x") + "echo 1 > d/v; ln -s v d/l",
        ["git rm -q d/v", "echo 1 > d/v"],
    ),
    Case(
        "through a file and back",
        _stat("v/../keep") + "echo 1 > d/v",
        ["git rm -q d/v; mkdir d/v; echo 1 > d/v/k", "git rm -rq d/v"],
    ),
    Case(
        "the interpreter of a script",
        _tree("out: w\n\td/tool > out 2> /dev/null || echo none > out")
        + "printf '#!d/interp\\n' > d/tool; chmod +x d/tool",
        [
            "printf '#!/bin/sh\\necho hi\\n' > d/interp; chmod +x d/interp",
            "chmod -x d/interp",
            "git rm -q d/interp",
        ],
    ),
    Case(
        "a file where something beneath was looked for",
        _stat("e/x"),
        ["echo 1 > d/e", "git rm -q d/e; mkdir d/e; echo 1 > d/e/k"],
    ),
    Case(
        "beneath a file outside",
        _tree("out: v\n\t(cat @OUT@/flag/x 2>&1 || true) > out"),
        [
            ("rm @OUT@/flag", "echo 2 > w"),
            ("mkdir @OUT@/flag; echo 7 > @OUT@/flag/x", "echo 3 > w"),
        ],
    ),
    Case(
        "a socket that is not there",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import socket\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect('d/s')\n"
            "except OSError as e: print(e.errno, file=open('out', 'w'))",
        ),
        ["echo 1 > d/s", "git rm -q d/s; ln -s keep d/s"],
    ),
    Case(
        "a message to a socket that is not there",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "f = open('out', 'w')\nfor send in (lambda: s.sendto(b'x', 'd/s'),"
            " lambda: s.sendmsg([b'x'], [], 0, 'd/t')):\n"
            "    try: send()\n    except OSError as e: print(e.errno, file=f)",
        ),
        ["echo 1 > d/s", "echo 1 > d/t"],
    ),
]
WOULD_MAKE = [
    Case(
        "a file in a folder that is not there",
        _tree("out: w\n\t(echo x > d/e/made) 2> /dev/null || true; cp w out"),
        _FOLDER,
    ),
    Case(
        "a folder in one that is not there",
        _tree("out: w\n\tmkdir d/e/sub 2> /dev/null || true; cp w out"),
        _FOLDER,
    ),
    Case(
        "a file to be moved into a folder that is not there",
        _tree("out: w\n\tcp w t; mv t d/e/t 2> /dev/null || rm t; cp w out"),
        _FOLDER,
    ),
    Case(
        "a link in a folder that is not there",
        _tree("out: w\n\tln -s x d/e/l 2> /dev/null || true; cp w out"),
        _FOLDER,
    ),
    Case(
        "a second name in a folder that is not there",
        _tree("out: w\n\tln w d/e/l 2> /dev/null || true; cp w out"),
        _FOLDER,
    ),
    Case(
        "a file that a link leads to, in a folder that is not there",
        _tree("out: w\n\t(echo 1 > d/l) 2> /dev/null || true; cp w out") + "ln -s e/made d/l",
        _FOLDER,
    ),
    Case(
        "a node in a folder that is not there",
        _tree(
            "out: w p.py\n\tpython3 p.py; cp w out",
            p_py="import os\ntry: os.mknod('d/e/n', 0o100644)\nexcept OSError: pass",
        ),
        _FOLDER,
    ),
]
PASSING = [
    Case(
        "looked for first",
        _tree(
            "out: v\n\tif test -e d/t; then echo yes; else echo no; fi > out; touch d/t; rm d/t; cat v >> out"
        ),
        ["echo 1 > d/t", "git rm -q d/t", "echo 2 > v"],
    ),
    Case(
        "not looked for",
        _tree("out: v\n\tcp v d/t; cat d/t > out; rm d/t"),
        ["echo 1 > d/t", "echo 2 > v"],
    ),
    Case(
        "added to",
        _tree("out: v\n\techo x >> d/t; cat d/t v > out; rm d/t"),
        ["echo 1 > d/t", "echo 2 > v"],
    ),
    Case("moved away", _tree("out: v\n\tcp v d/t; mv d/t out"), ["echo 2 > v", "echo 9 > d/t"]),
    Case(
        "a folder",
        _tree(
            "out: v\n\tif mkdir d/t 2> /dev/null; then cp v out; rmdir d/t; else echo full > out; fi"
        ),
        ["mkdir d/t; echo 1 > d/t/k", "git rm -rq d/t"],
    ),
    Case(
        "by a script that comes to do so",
        _tree("out: g v\n\tsh g", g="cp v out"),
        ["echo 'cp v d/t; cp d/t out; rm d/t' > g", "echo 4 > d/t", "git rm -q d/t; echo 6 > v"],
    ),
    Case(
        "by the build's own shell",
        _tree("out: v\n\tcp v out"),
        ["echo 1 > d/t", "git rm -q d/t; echo 2 > v"],
        build="echo x > d/t; make; rm d/t",
    ),
]
ALL = [*ERRORS, *WOULD_MAKE, *PASSING]
ALWAYS = {
    *("beneath a file", "through a file and back", "the interpreter of a script"),
    *("a file in a folder that is not there", "looked for first"),
    *("by the build's own shell", "a message to a socket that is not there"),
}
"""Some of each kind are run always."""


@pytest.mark.parametrize("case", by_name(ALL, ALWAYS))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
