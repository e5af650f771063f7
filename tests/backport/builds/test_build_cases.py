# SPDX-License-Identifier: GPL-2.0-or-later
"""One small tree of each kind that a recording could be wrong about, compared with clean builds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case

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
ALL = [*LOOKED_AT, *OUTSIDE, *MADE, *BUILDERS]
SPREAD = {"size", "listing outside", "file of the tree moved", "says only"}
"""One of each list is run always."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=() if case.name in SPREAD else pytest.mark.torture)
        for case in ALL
    ],
)
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    if case.build == "ninja" and shutil.which("ninja") is None:
        pytest.skip("no ninja")
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
