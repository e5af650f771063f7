# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for what a process can see of dates, descriptors, other processes and what it was given, and
for effects by other calls than those that name a file; each step compared with a clean build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case

_TWO = "echo 1 > v; echo 1 > w; mkdir d; touch d/keep\n"


def _tree(rules: str, **files: str) -> str:
    """Shell text that makes v, w, d/keep, a Makefile, and files by their names (``p_py`` is p.py)."""
    texts = {"Makefile": rules, **{name.replace("_", "."): text for name, text in files.items()}}
    return _TWO + "".join(f"cat > {name} <<'EOT'\n{text}\nEOT\n" for name, text in texts.items())


EFFECTS = [
    Case(
        "made by an open for reading",
        _tree("out: gen v\n\tsh gen", gen="flock lock cat v > out"),
        ["echo 'cat v > out' > gen", "echo 2 > v"],
    ),
    Case(
        "date by a descriptor",
        _tree(
            "out: b w\n\tstat -c %Y a > out; cat w >> out\nb: a p.py v\n\tpython3 p.py; cat v > b\n"
            "a:\n\techo x > a",
            p_py="import os\nn = 100000000 * int(open('v').read())\n"
            "os.utime(os.open('a', os.O_RDONLY), (n, n))",
        ),
        ["echo 2 > v", "echo 2 > w", "echo 1 > v"],
    ),
    Case(
        "a link's own date",
        _tree(
            "out: b w\n\tstat -c %Y l > out; cat w >> out\nb: l v\n"
            "\ttouch -h -d @$$(cat v) l; cat v > b\nl:\n\tln -s d l"
        ),
        ["echo 200000000 > v", "echo 2 > w"],
    ),
    Case(
        "a link to a file of the tree, copied with its date",
        _tree("all: m out\nm: l\n\tcp -a l m\nout: w\n\tcat w l > out") + "ln -s v l",
        ["echo 2 > w", "ln -sfn w l"],
    ),
    Case(
        "a second name by a descriptor",
        _tree(
            "c: b a\n\tcat a b > c\nb: a w p.py\n\tpython3 p.py\na: v\n\tcp v a",
            p_py="import os\nf = os.open('a', os.O_RDONLY)\n"
            "os.link(f'/proc/self/fd/{f}', 'b', follow_symlinks=True)\n"
            "open('b', 'a').write(open('w').read())",
        ),
        ["echo 2 > w", "echo 3 > v"],
        build="make c",
    ),
    Case(
        "written through the name of a descriptor",
        _tree(
            "SHELL = /bin/bash\nc: b a\n\tcat a b > c\nb: a w\n"
            "\texec 3<a; cat w > /dev/fd/3; cp w b\na: v\n\tcp v a"
        ),
        ["echo 2 > w", "echo 3 > v"],
        build="make c",
    ),
]
LOOKS = [
    Case(
        "a script executed by its descriptor",
        _tree(
            "out: interp p.py s\n\tpython3 p.py > out\ninterp: i.c\n\tgcc -o interp i.c",
            s="#!./interp",
            i_c='#include <stdio.h>\nint main(void) { puts("1"); }',
            p_py="import os\nf = os.open('s', os.O_RDONLY)\nos.set_inheritable(f, True)\n"
            "os.execve(f, ['s'], os.environ)",
        )
        + "chmod +x s",
        ["sed -i s/1/2/ i.c"],
    ),
    Case(
        "a handle",
        _tree(
            "out: p\n\t./p > out\np: p.c\n\tgcc -o p p.c",
            p_c="#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stdio.h>\n"
            "int main(void)\n{\n    struct { struct file_handle h; char room[128]; } f = { { 128 } };\n"
            '    int m;\n    printf("%d\\n", name_to_handle_at(AT_FDCWD, "d/maybe", &f.h, &m, 0));\n}',
        ),
        ["touch d/maybe", "git rm -q d/maybe"],
    ),
    Case(
        "stat of a path that could be empty",
        _tree(
            "out: p\n\t./p > out\np: p.c\n\tgcc -o p p.c",
            p_c="#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stdio.h>\n#include <sys/stat.h>\n"
            "int main(void)\n{\n    struct stat st;\n"
            '    printf("%d\\n", fstatat(AT_FDCWD, "d/maybe", &st, AT_EMPTY_PATH));\n}',
        ),
        ["touch d/maybe", "git rm -q d/maybe"],
    ),
    Case(
        "date of a folder that a step changes",
        _tree("out: a v\n\tif [ d -nt a ]; then echo 1; else echo 2; fi > out\na: w\n\tcp w a"),
        ["touch d/n", "git rm -q d/n; echo 3 > v"],
    ),
    Case(
        "date of a folder in which something is made again",
        _tree(
            "c: d/a b\n\tif [ d -nt b ]; then echo 1; else echo 2; fi > c\nd/a: v\n\tcp v d/a\n"
            "b: w d/a\n\tsleep 0.05; cp w b"
        ),
        ["echo 2 > v", "echo 2 > w", "touch d/n; echo 4 > v"],
    ),
    Case(
        "dates of the tree's folders",
        _tree("out: v\n\tfind d -newer w > out; find d ! -newer v | sort >> out"),
        ["touch d/n", "git rm -q d/n"],
    ),
    Case(
        "date of a folder after a step that fails",
        _tree(
            "out: w\n\tcp w out; sleep 0.05; touch d/z\n"
            "b: out v\n\tif [ . -nt d/z ]; then r=1; else r=2; fi; cat v; sleep 0.05; echo $$r > d/b"
        ),
        [
            "echo 'out: none' >> Makefile",
            "git checkout -q HEAD~1 Makefile",
            "echo 2 > v",
        ],
        build="make out; make b",
    ),
]
GIVEN = [
    Case(
        "what standard output is",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import os\nopen('out', 'w').write(oct(os.fstat(1).st_mode) + open('v').read())",
        ),
        ["echo 2 > v"],
        build="make -O -j4",
    ),
    Case(
        "what standard input is",
        _tree(
            "all: a b\na: v\n\tif [ -p /dev/stdin ]; then echo 1; else echo 2; fi > a\n"
            "\tsleep 0.4; cat v >> a\nb: v\n"
            "\tsleep 0.1; if [ -p /dev/stdin ]; then echo 1; else echo 2; fi > b; cat v >> b"
        ),
        ["echo 2 > v"],
        build="make -j4",
    ),
    Case(
        "standard error that takes nothing",
        _tree("out: v w\n\t@sh -c 'echo x >&2' && cp v out || cp w out"),
        ["echo 3 > w"],
        build="make -s 2> /dev/full",
    ),
    Case(
        "standard error in a file",
        _tree("all:\n\t$(MAKE) out 2> log\nout: v w\n\tcat v >&2; cp w out"),
        ["echo 2 > v", "echo 3 > w"],
    ),
    Case(
        "an open file that make was given",
        _tree("out: v w\n\t(cat v >&3) 2> /dev/null || true; cp v out"),
        ["echo 2 > v"],
        build="{ make 3>&1 > /dev/null | cat > log; }",
    ),
    Case(
        "how many files are open",
        _tree("out: v\n\t+ls /proc/self/fd | wc -l > out; cat v >> out"),
        ["echo 2 > v"],
    ),
    Case("the process above", _tree("out: v\n\tcat /proc/$$PPID/comm v > out"), ["echo 2 > v"]),
    Case(
        "how it is scheduled",
        _tree("out: v\n\tchrt -p $$$$ | sed 's/pid [0-9]*//' > out; cat v >> out"),
        ["echo 2 > v"],
        build="chrt -b 0 make",
    ),
    Case(
        "priority of what it reads",
        _tree("out: v\n\tionice > out; cat v >> out"),
        ["echo 2 > v"],
        build="ionice -c3 make",
    ),
    Case(
        "whom the kernel kills first",
        _tree("out: v\n\tcat /proc/self/oom_score_adj v > out"),
        ["echo 2 > v"],
        build="sh -c 'echo 500 > /proc/self/oom_score_adj; exec make'",
    ),
    *(
        Case(
            f"the variable {name}",
            _tree(f"out: v\n\tenv | grep '^{name}=' > out || true; cat v >> out"),
            [(f"@{name}=11", "echo 2 > v"), (f"@{name}=12", "echo 3 > v")],
        )
        for name in ("TERM", "COLUMNS", "XDG_CONFIG_HOME", "MAKELEVEL")
    ),
]
ALWAYS = {
    *("made by an open for reading", "date by a descriptor", "standard error in a file"),
    "date of a folder that a step changes",
}
"""Some of each kind are run always."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=() if case.name in ALWAYS else pytest.mark.torture)
        for case in [*EFFECTS, *LOOKS, *GIVEN]
    ],
)
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
