# SPDX-License-Identifier: GPL-2.0-or-later
"""One small tree of each kind that a recording could be wrong about, compared with clean builds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name

LOOKED_AT = [
    Case(
        "size",
        "echo 123 > data; printf 'out: data\\n\\tstat -c %%s data > $@\\n' > Makefile",
        ["echo 123456 > data", "echo 1 > data"],
    ),
    Case(
        "mode",
        "printf '#!/bin/sh\\necho 1\\n' > tool; chmod +x tool; printf 'out: tool\\n"
        "\\tif [ -x tool ]; then echo yes; else echo no; fi > $@\\n' > Makefile",
        ["chmod -x tool"],
    ),
    Case(
        "interpreter",
        "printf '#!/bin/sh\\necho ${BASH_VERSION:+bash} > $1\\n' > gen; chmod +x gen;"
        " printf 'out: gen\\n\\t./gen $@\\n' > Makefile",
        ["sed -i '1s/sh$/bash/' gen"],
    ),
    Case(
        "program found first",
        "mkdir first second; touch first/keep; printf '#!/bin/sh\\necho 2 > $1\\n' > second/gen;"
        " chmod +x second/gen; printf 'out:\\n\\tgen $@\\n' > Makefile",
        ["sed s/2/1/ second/gen > first/gen; chmod +x first/gen", "git rm -q first/gen"],
        build="PATH=$PWD/first:$PWD/second:$PATH make",
    ),
    Case(
        "link to a program",
        "for n in 1 2; do printf '#!/bin/sh\\necho '$n' > $1\\n' > t$n; chmod +x t$n; done;"
        " ln -s t1 tool; printf 'out:\\n\\t./tool $@\\n' > Makefile",
        ["ln -sfn t2 tool"],
    ),
    Case(
        "folder that comes into being",
        "printf 'all: out\\n\\t$(MAKE) -C sub || true\\nout:\\n\\techo 1 > out\\n.PHONY: all\\n' > Makefile",
        ["mkdir sub; printf 'all:\\n\\techo 2 > made\\n' > sub/Makefile"],
    ),
    Case(
        "which is newer",
        "echo 1 > a; echo 1 > b; printf 'out: a b\\n"
        "\\tif [ a -nt b ]; then echo a; else echo no; fi > $@; cat a >> $@\\n' > Makefile",
        ["echo 2 > a", "echo 2 > b"],
    ),
    Case(
        "standard input",
        "echo 1 > v; echo words > text; printf 'out: v\\n\\t(cat; cat v) > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="make < text",
    ),
    Case(
        "umask",
        "echo 1 > v; printf 'out: v\\n\\tcp v out\\n' > Makefile",
        ["echo 2 > v"],
        build="umask 077; make",
    ),
    Case(
        "link that leads nowhere",
        "ln -s no l; echo 1 > yes;"
        " printf 'out:\\n\\tif test -e l; then echo 1; else echo 2; fi > $@\\n' > Makefile",
        ["ln -sfn yes l", "ln -sfn no l", "echo 1 > no"],
    ),
    Case(
        "link that makes a path",
        "mkdir -p x/b; echo 1 > x/b/c;"
        " printf 'out:\\n\\tif test -e a/b/c; then echo 1; else echo 2; fi > $@\\n' > Makefile",
        ["ln -s x a", "git rm -q a; echo 1 > R"],
    ),
    Case(
        "what access(2) tells",
        'echo 1 > v; echo 1 > w; echo \'import os; print(os.access("v", 4), os.access("w", 1))\' > ask;'
        " printf 'out: ask\\n\\tpython3 ask > $@\\n' > Makefile",
        [
            "echo 2 > v",
            "git rm -q v",
            "mkdir v; echo 1 > v/k",
            "chmod +x w",
            "ln -s w v2; mv v2 v/k",
        ],
    ),
    Case(
        "how many folders are in one",
        "mkdir d; touch d/k; printf 'out:\\n\\tstat -c %%h d > $@\\n' > Makefile",
        ["mkdir d/s; touch d/s/k"],
    ),
    Case(
        "extended attribute",
        "for f in u v w; do echo $f > $f; done; printf 'import os,sys\\n"
        'print(os.getxattr("a","user.x"), open("w").read(), file=open("out","w"))\\n\' > get;'
        ' printf \'import os\\nos.setxattr("a","user.x",open("u","rb").read())\\n\' > set;'
        " printf 'out: a w\\n\\tpython3 get\\na: v u\\n\\tcp v a\\n\\tpython3 set\\n' > Makefile",
        ["echo 2 > u", "echo 2 > v", "echo 2 > w"],
    ),
]
OUTSIDE = [
    Case(
        "link outside",
        "printf 'out:\\n\\tcat @OUT@/cur/v.h > $@\\n' > Makefile; echo 1 > README",
        [("ln -sfn v2 @OUT@/cur", "echo 2 > README"), ("ln -sfn v1 @OUT@/cur", "echo 3 > README")],
    ),
    Case(
        "presence outside",
        "printf 'out:\\n\\tif test -e @OUT@/flag; then echo 1; else echo 2; fi > $@\\n' > Makefile",
        [("rm @OUT@/flag", "echo 2 > README"), ("touch @OUT@/flag", "echo 3 > README")],
    ),
    Case(
        "listing outside",
        "printf 'out:\\n\\tls @OUT@/d > $@\\n' > Makefile",
        [("touch @OUT@/d/g", "echo 2 > README")],
    ),
    Case(
        "how many names a file outside has",
        "printf 'out:\\n\\tstat -c %%h @OUT@/o.h > $@\\n' > Makefile; echo 1 > R",
        [("ln @OUT@/o.h @OUT@/p.h", "echo 2 > R"), ("rm @OUT@/p.h", "echo 3 > R")],
    ),
    Case(
        "extended attribute outside",
        "printf 'out:\\n\\tpython3 p > $@\\n' > Makefile; echo 1 > R;"
        " echo 'import os; print(os.listxattr(\"@OUT@/o.h\"))' > p",
        [('python3 -c \'import os; os.setxattr("@OUT@/o.h", "user.x", b"1")\'', "echo 2 > R")],
    ),
    Case(
        "environment",
        "printf 'out:\\n\\techo $(WORD) > $@\\n' > Makefile",
        [("@WORD=one", "echo 2 > README"), ("@WORD=two", "echo 3 > README")],
    ),
]
MADE = [
    Case(
        "listing beside writers",
        "for f in a b; do echo 1 > $f.in; done; echo 1 > ver; printf 'all: list a.out b.out\\n"
        "%%.out: %%.in ver\\n\\tsleep 0.3; cat $< ver > $@\\nlist: a.out b.out ver\\n"
        "\\t(cat ver; ls *.out) > $@\\n' > Makefile",
        ["echo 2 > ver", "echo 2 > a.in"],
    ),
    Case(
        "folder made is an answer",
        "echo 1 > v; printf 'out: v\\n"
        "\\tif mkdir seen 2> /dev/null; then echo 1; else echo 2; fi > $@; cat v >> $@\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "folder renamed",
        "echo 1 > v; printf 'out: v\\n\\tmkdir new; cp v new/v; mv new out\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "file of the tree moved",
        "echo 1 > conf; echo 1 > b; printf 'all: o/conf out\\nout: b o/conf\\n\\tcat b o/conf > $@\\n"
        "o/conf: conf\\n\\tmkdir -p o; mv conf conf.orig; cp conf.orig o/conf\\n' > Makefile",
        ["echo '# more' >> Makefile", "echo 2 > b"],
    ),
    Case(
        "fifo",
        "echo 1 > v; printf 'out: v\\n\\tmkfifo p; (cat v > p &) ; cat p > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="timeout 20 make",
    ),
    Case(
        "says only",
        "echo 1 > v; printf 'all: out\\n\\techo done\\nout: v\\n\\techo making\\n\\tcp v out\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "folder that may be written to",
        "echo 1 > v; printf 'out: @OUT@/made/o\\n\\tcp $< $@\\n@OUT@/made/o: v\\n\\tcp $< $@\\n' > Makefile",
        ["echo 2 > v", "echo 3 > v"],
        build="mkdir -p @OUT@/made && make",
        writable=["@OUT@"],
    ),
]
BUILDERS = [
    Case(
        "ninja and a header that hides another",
        "mkdir one two; touch one/keep; echo 'int v;' > two/v.h; echo '#include <v.h>' > a.c;"
        " printf 'rule cc\\n command = gcc -Ione -Itwo -MD -MF $out.d -c -o $out $in\\n depfile = $out.d\\n"
        " deps = gcc\\nbuild a.o: cc a.c\\n' > build.ninja",
        ["echo 'no C' > one/v.h", "git rm -q one/v.h; echo 'int w;' >> two/v.h"],
        build="ninja",
        ignore="ninja_(log|deps)",
    ),
    Case(
        "script in a pipe",
        "echo 1 > in; printf '#!/bin/sh\\ntest -f g || cp in g\\n' > inc; chmod +x inc;"
        " printf 'out: g\\n\\tcp g out\\n' > Makefile",
        ["echo 2 > in"],
        build="./inc | cat; make",
    ),
    Case(
        "list of headers that holds more",
        "echo 1 > v; echo 'int a;' > a.c; printf 'out: a.o\\n\\t$(MAKE) last\\n"
        'a.o: a.c v\\n\\tgcc -MMD -c a.c -o a.o; echo "X := $$(cat v)" > f.d\\n'
        "-include f.d\\nlast:\\n\\techo $(X) > out\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "list of headers that has more made",
        "echo 1 > v; echo 'int a;' > a.c; printf 'out: a.o\\n\\t$(MAKE) last\\n"
        'a.o: a.c v\\n\\tgcc -MMD -c a.c -o a.o; echo "last: $$(cat v)" > f.d\\n'
        "-include f.d\\nlast: ; touch out\\n1 2 3:\\n\\techo $@ > $@\\n' > Makefile",
        ["echo 2 > v", "echo 1 > v"],
    ),
    Case(
        "program that does not run where it is watched",
        "echo 1 > v; printf 'out: v\\n\\tpython3 -c \"import ctypes,sys;"
        " sys.exit(ctypes.CDLL(None).ptrace(0,0,0,0) != 0)\"; cp v out\\n' > Makefile;"
        " sed -i 's/; cp v/ \\&\\& cp v/' Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "log of what commands print",
        "echo 1 > v; printf 'out: v\\n\\tcat v; cp v out\\n' > Makefile",
        ["echo 2 > v"],
        build="make -s 2>&1 | tee log",
    ),
    Case(
        "configured once",
        "echo 1 > conf.in; printf 'out: conf\\n\\tcp conf out\\n' > Makefile",
        ["echo 2 > conf.in"],
        build="test -f conf || cp conf.in conf; make",
    ),
]
UNSEEN = [
    Case(
        "program that may not be looked into",
        "echo 1 > v; printf '#include <stdio.h>\\nint main(void)"
        '{FILE *f = fopen("v","r"); putchar(getc(f)); return 0;}\\n\' > p.c;'
        " printf 'out: p\\n\\t./p > $@\\np: p.c\\n\\tgcc -o q p.c; chmod 111 q; mv q p\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "folder too deep to be named",
        "echo 1 > v; printf 'import os\\nfor n in range(30):\\n"
        ' os.mkdir("d"*200)\\n os.chdir("d"*200)\\nprint(open("../"*30+"v").read())\\n\' > deep;'
        " printf 'out:\\n\\tpython3 deep > $@; rm -rf dd*\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "a tree's file through proc",
        "echo 1 > v; ln -s /proc/self/cwd here;"
        " printf 'out:\\n\\tcat /proc/self/cwd/v here/v > $@\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "a tree's file through a descriptor of its folder",
        "mkdir d; echo 1 > d/v;"
        " printf 'SHELL = /bin/bash\\nout:\\n\\texec 7< d; cat /dev/fd/7/v > $@\\n' > Makefile",
        ["echo 2 > d/v"],
    ),
    Case(
        "shared memory",
        "echo 1 > v; echo 1 > w; printf 'b: w a\\n\\t(cat /dev/shm/case-x || echo none; cat w) > b\\n"
        "a: v\\n\\tcp v /dev/shm/case-x; cp v a\\n' > Makefile",
        ["echo 2 > w", "echo 2 > v"],
    ),
    Case(
        "a temporary file of another, looked for first",
        "echo 1 > v; echo 1 > w; printf 'all: b a\\n"
        "b: w\\n\\tsleep 0.5; (cat /tmp/case-y || echo none; cat w) > b\\n"
        "a: v\\n\\tcp v /tmp/case-y; cp v a\\n' > Makefile",
        ["echo 2 > w"],
    ),
    Case(
        "temporary files of another in a listing",
        "echo 1 > v; echo 1 > w; printf 'b: w a\\n\\t(ls /tmp | grep case-z || echo none; cat w) > b\\n"
        "a: v\\n\\tcp v /tmp/case-z; cp v a\\n' > Makefile",
        ["echo 2 > w"],
    ),
    Case(
        "a program whose calls are another processor's",
        "cat > p.c <<'EOF'\n"
        "#include <sys/mman.h>\n#include <unistd.h>\n"
        "int main(void)\n{\n    char text[99];\n    long file;\n"
        "    char *path = mmap(0, 4096, 3, 0x62, -1, 0);\n    path[0] = 'v';\n"
        '    __asm__ volatile("int $0x80" : "=a"(file) : "a"(5), "b"(path), "c"(0), "d"(0) : "memory");\n'
        "    long size = read(file, text, 99);\n    return write(1, text, size) != size;\n}\nEOF\n"
        "echo 1 > v; printf 'out: p\\n\\t./p > $@ || echo none > $@\\n"
        "p: p.c\\n\\tgcc -o p p.c\\n' > Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "interpreter that the build makes",
        "printf '#include <stdio.h>\\nint main(void) { puts(\"1\"); }\\n' > i.c;"
        " printf '#!./interp\\n' > s; chmod +x s;"
        " printf 'out: interp\\n\\t./s > $@\\ninterp: i.c\\n\\tgcc -o $@ $<\\n' > Makefile",
        ["sed -i s/1/2/ i.c"],
    ),
]
NAMES = [
    Case(
        "link that is removed again",
        "mkdir d; echo 1 > d/v; printf 'out:\\n\\tln -s d l; cat l/v > $@; rm l\\n' > Makefile",
        ["echo 2 > d/v"],
    ),
    Case(
        "link that leads elsewhere later",
        "mkdir d e; echo 1 > d/v; echo 2 > e/v; printf 'b: a\\n\\tln -sfn e l; cat l/v > b\\n"
        "a:\\n\\tln -s d n; mv -T n l; cat l/v > a\\n' > Makefile",
        ["echo 11 > d/v", "echo 22 > e/v"],
    ),
    Case(
        "link that the shell above has lead elsewhere",
        "mkdir d e; echo 1 > d/v; echo 2 > e/v; printf '$(N):\\n\\tcat l/v > $(N)\\n' > Makefile",
        ["echo 11 > d/v", "echo 22 > e/v"],
        build="ln -sfn d l; make N=a; ln -sfn e l; make N=b",
    ),
    Case(
        "written through its second name",
        "echo 1 > v; echo 1 > w; printf 'c: b\\n\\tcat a > c\\na: v\\n\\tcp v a\\n"
        "b: a w\\n\\tln a n; mv n b; cat w >> b\\n' > Makefile",
        ["echo 2 > w", "echo 2 > v"],
    ),
    Case(
        "second name, written through and removed",
        "echo 1 > v; echo 1 > w; printf 'c: b\\n\\tcat a > c\\na: v\\n\\tcp v a\\n"
        "b: a w\\n\\tln a n; cat w >> n; rm n; cp w b\\n' > Makefile",
        ["echo 2 > w"],
    ),
    Case(
        "date that is given",
        "echo 100000000 > v; echo 1 > w; printf 'out: a w\\n"
        "\\ttar --owner=0 --group=0 -cf $@ a; cat w >> $@\\na: v\\n\\t> a; touch -d @$$(cat v) a\\n'"
        " > Makefile",
        ["echo 200000000 > v", "echo 2 > w"],
    ),
    Case(
        "which output is newer",
        "for f in v w z; do echo 1 > $f; done; printf 'c: a b z\\n"
        "\\tif [ a -nt b ]; then echo a > c; else echo b > c; fi; cat z >> c\\n"
        "a: v\\n\\tcp v a\\nb: w a\\n\\tsleep 0.02; cp w b\\n' > Makefile",
        ["echo 2 > v", "echo 2 > z"],
    ),
    Case(
        "placeholder that keeps a folder",
        "mkdir -p o/p; touch o/p/keep; echo 1 > v; echo 'cat v > o/p/a; cp o/p/a out' > gen;"
        " printf 'out: v gen\\n\\tsh gen\\n' > Makefile",
        ["git rm -q o/p/keep", "echo 2 > v"],
    ),
    Case(
        "placeholder for a folder that the build makes",
        "echo 1 > v; echo 'mkdir o; cat v > o/a; cp o/a out' > gen;"
        " printf 'out: v gen\\n\\tsh -e gen\\n' > Makefile",
        ["mkdir o; touch o/keep"],
    ),
    Case(
        "folder that is no longer made",
        "printf 'mkdir -p d\\necho 1 > out\\n' > gen; printf 'out: gen\\n\\tsh gen\\n' > Makefile",
        [
            "printf 'if [ -d d ]; then echo 1; else echo 2; fi > out\\n' > gen",
            "echo 'echo 3 > out' > gen",
        ],
    ),
]
ABOVE = [
    Case(
        "processors",
        "echo 1 > v; printf 'out: v\\n\\t(cat v; nproc) > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="taskset -c 0 make",
    ),
    Case(
        "execution domain",
        "echo 1 > v; printf 'out: v\\n\\t(cat v; uname -m) > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="setarch i686 make",
    ),
    Case(
        "niceness",
        "echo 1 > v; printf 'out: v\\n\\t(cat v; nice) > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="nice -n 5 make",
    ),
    Case(
        "limits",
        "echo 1 > v; printf 'out: v\\n\\t(cat v; ulimit -n) > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="ulimit -n 100; make",
    ),
    Case(
        "ignored signals",
        "echo 1 > v; printf 'out: v\\n"
        '\\t(cat v; sh -c "kill -USR2 \\$$\\$$; echo on" || echo off) > $@\\n\' > Makefile',
        ["echo 2 > v"],
        build="trap '' USR2; make",
    ),
    Case(
        "the shell writes what a command has listed",
        "echo 1 > v; printf 'out: v\\n\\tls > out; cat v >> out\\n' > Makefile",
        ["echo 2 > v"],
        build="make; echo 1 > late",
    ),
    Case(
        "the shell writes what a command looked for in vain",
        "echo 1 > v; printf 'out: v\\n"
        "\\tif [ -e late ]; then echo 1; else echo 2; fi > out; cat v >> out\\n' > Makefile",
        ["echo 2 > v"],
        build="make; echo 1 > late",
    ),
    Case(
        "the shell writes what a command has read",
        "echo 1 > v; printf '$(N): v\\n\\tcat f v > $(N)\\n' > Makefile",
        ["echo 2 > v"],
        build="echo 1 > f; make N=a; echo 2 > f; make N=b",
    ),
    Case(
        "a command comes to look for what the shell writes",
        "echo 'echo 1 > out' > gen; printf 'out: gen\\n\\tsh gen\\n' > Makefile",
        ["echo 'if [ -e late ]; then echo 1; else echo 2; fi > out' > gen"],
        build="make; echo 1 > late",
    ),
    Case(
        "make's flags",
        "echo 1 > v; printf 'out: v\\n\\t(cat v; echo \"$$MAKEFLAGS\") > $@\\n' > Makefile",
        ["echo 2 > v"],
        build="make -j3",
    ),
]
ALL = [*LOOKED_AT, *OUTSIDE, *MADE, *BUILDERS, *UNSEEN, *NAMES, *ABOVE]
SPREAD = {
    *("size", "listing outside", "file of the tree moved", "says only"),
    *("link that leads nowhere", "link that makes a path", "date that is given"),
    *("program that may not be looked into", "list of headers that has more made"),
    "program that does not run where it is watched",
    *(
        "a tree's file through proc",
        "link that leads elsewhere later",
        "which output is newer",
        "limits",
    ),
}
"""Some of each kind are run always."""


@pytest.mark.parametrize("case", by_name(ALL, SPREAD))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    if case.build == "ninja" and shutil.which("ninja") is None:
        pytest.skip("no ninja")
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
