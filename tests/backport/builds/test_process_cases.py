# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for what a process can see of dates, descriptors, other processes and what it was given, and
for effects by other calls than those that name a file; each step compared with a clean build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name

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
            f"another process by {how}",
            _tree(f"out: v\n\tcat {path} v > out") + more,
            ["echo 2 > v"],
        )
        for how, path, more in (
            ("an odd path", "//proc/$$PPID/comm /proc/./$$PPID/comm", ""),
            ("a path through its own", "/proc/self/../$$PPID/comm", ""),
            ("a link", "d/p/$$PPID/comm", "ln -s /proc d/p"),
        )
    ),
    Case(
        "who traces it, by a link",
        _tree(
            "out: v\n\tgrep TracerPid d/p/self/status | grep -q '\t0$$' && cp v out || echo no > out"
        )
        + "ln -s /proc d/p",
        ["echo 2 > v"],
    ),
    Case(
        "a child that nobody may watch, by clone3(2)",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import ctypes, os, struct\nc = ctypes.CDLL(None)\n"
            "a = ctypes.create_string_buffer(struct.pack('8Q', 0x00800000, 0, 0, 0, 17, 0, 0, 0))\n"
            "p = c.syscall(435, a, 64)\nif p == 0:\n    try: t = open('v').read()\n"
            "    except OSError: os._exit(1)\n    os._exit(10 + int(t))\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
    ),
    Case(
        "a lock that the shell above holds",
        _tree("out: v\n\t(flock -n w echo got || echo locked) > out; cat v >> out"),
        ["echo 2 > v"],
        build="(flock 9; make 9<&-; true) 9< w",
    ),
    Case(
        "a lock that the shell above holds, asked about",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import fcntl, struct\n"
            "r = fcntl.fcntl(open('w'), fcntl.F_GETLK, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))\n"
            "print(struct.unpack('hhqqi4x', r)[0], open('v').read(), file=open('out', 'w'))",
            l_py="import fcntl, time\nf = open('w')\nfcntl.lockf(f, fcntl.LOCK_SH)\ntime.sleep(50)",
        ),
        ["echo 2 > v"],
        build="python3 l.py & sleep 1; make; kill $!; wait; true",
    ),
    Case(
        "how standard output is open",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import fcntl\nf = [fcntl.fcntl(n, fcntl.F_GETFL) for n in (0, 1, 2)]\n"
            "print(f, open('v').read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
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
_ASKS = "print(LATER, open('w').read(), file=open('out', 'w'))"
_MAKES = "\nb: a\n\tsleep 0.05; touch b\na: v\n\tcp v a"
_LATER = """#include <stdio.h>
#include <sys/stat.h>
int later(void)
{
    struct stat a, b;
    stat("a", &a);
    stat("b", &b);
    return a.st_ctim.tv_sec > b.st_ctim.tv_sec ||
           (a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec > b.st_ctim.tv_nsec);
}
"""
CHANGE_TIMES = [
    Case(
        "a script's module goes by change times",
        _tree(
            "out: b w p.py d/m.py\n\tPYTHONPATH=d python3 -B p.py" + _MAKES,
            p_py="import m\n" + _ASKS.replace("LATER", "m.late('a') > m.late('b')"),
        )
        + "printf 'import os\\nlate = os.path.getctime\\n' > d/m.py",
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a script comes to go by change times",
        _tree("out: b w p.py\n\tpython3 p.py" + _MAKES, p_py=_ASKS.replace("LATER", "0")),
        [
            "printf 'import os\\n"
            + _ASKS.replace(
                "LATER", 'os.stat("a")[9] > 0, os.stat("a").st_ctime > os.stat("b").st_ctime'
            ).replace("'", '"')
            + "\\n' > p.py",
            "echo 2 > v",
            "echo 2 > w",
        ],
    ),
    Case(
        "change times by their place",
        _tree(
            "out: b w p.pl\n\tperl p.pl" + _MAKES,
            p_pl="open O, '>', 'out'; open W, 'w'; print O (stat 'a')[10] > (stat('b'))[10], <W>;",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a program that the build makes goes by change times",
        _tree(
            "out: b w p\n\t./p > out; cat w >> out\np: p.c\n\tgcc -o p p.c" + _MAKES,
            p_c=_LATER + 'int main(void) { printf("%d\\n", later()); }',
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a library that the build makes goes by change times",
        _tree(
            "out: b w p\n\tLD_LIBRARY_PATH=. ./p > out; cat w >> out\nlibq.so: q.c\n"
            "\tgcc -shared -fPIC -o libq.so q.c\np: p.c libq.so\n\tgcc -o p p.c -L. -lq" + _MAKES,
            p_c='#include <stdio.h>\nint later(void);\nint main(void) { printf("%d\\n", later()); }',
            q_c=_LATER,
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "change times of descriptors",
        _tree(
            "out: b p w\n\t./p > out; cat w >> out\np: p.c\n\tgcc -o p p.c" + _MAKES,
            p_c="#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stdio.h>\n#include <sys/stat.h>\n"
            "#define C(x) stx_##x##time\n"
            "int main(void)\n{\n    struct statx a, b;\n"
            '    statx(open("a", 0), "", AT_EMPTY_PATH, STATX_CTIME, &a);\n'
            '    statx(open("b", 0), "", AT_EMPTY_PATH, STATX_CTIME, &b);\n'
            '    printf("%d\\n", a.C(c).tv_sec * 10000000000 + a.C(c).tv_nsec >'
            " b.C(c).tv_sec * 10000000000 + b.C(c).tv_nsec);\n}",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
]
ALWAYS = {
    *("made by an open for reading", "date by a descriptor", "standard error in a file"),
    *("date of a folder that a step changes", "another process by an odd path"),
    *("a lock that the shell above holds", "a script comes to go by change times"),
    "a library that the build makes goes by change times",
}
"""Some of each kind are run always."""


@pytest.mark.parametrize("case", by_name([*EFFECTS, *LOOKS, *GIVEN, *CHANGE_TIMES], ALWAYS))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
