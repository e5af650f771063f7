# SPDX-License-Identifier: GPL-2.0-or-later
"""Small trees for what a command can observe that neither its arguments nor the files it opens show: its own
name, what it inherits, how often a file is linked, attributes, dates outside of the tree, what make itself
decides by; each step compared with a clean build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backport.builds.build_cases import Case, run_case
from tests.backport.builds.some_cases import by_name
from tests.backport.builds.test_process_cases import _tree

CALLED = [
    Case(
        "a script's own name",
        _tree("out: gen v\n\t./gen out", gen='#!/bin/sh\necho "/* by $0 */" > $1; cat v >> $1')
        + "chmod +x gen",
        ["echo 2 > v"],
    ),
    Case(
        "a script's own name, through a link",
        _tree("out: gen v\n\tbin/gen out", gen='#!/bin/sh\necho "/* by $0 */" > $1; cat v >> $1')
        + "chmod +x gen; mkdir t; mv gen t; ln -s t bin; sed -i 's/: gen/: t\\/gen/' Makefile",
        ["echo 2 > v"],
    ),
    Case(
        "an interpreter that is a script itself",
        _tree(
            "out: s interp v\n\t./s out word",
            s="#!./interp -x",
            interp='#!/bin/sh\necho "$# $*" > $3; cat v >> $3',
        )
        + "chmod +x s interp",
        ["echo 2 > v"],
    ),
    Case(
        "the working folder by its name",
        _tree(
            "out: v\n\t../p.py",
            p_py="#!/usr/bin/env python3\nimport os\n"
            "print(os.environ['PWD'], open('v').read(), file=open('out', 'w'))",
        )
        + "chmod +x p.py; mkdir sub; mv v Makefile sub",
        ["echo 2 > sub/v"],
        build="cd sub && make",
    ),
    Case(
        "the working folder, through a link",
        _tree("out: v\n\tpwd > out; cat v >> out") + "mkdir sub; mv v Makefile sub; ln -s sub l",
        ["echo 2 > sub/v"],
        build="cd l && make",
    ),
    Case(
        "the program's path in its auxiliary vector",
        _tree(
            "out: p v\n\t./p\np: p.c\n\tgcc -o p p.c",
            p_c="#include <stdio.h>\n#include <sys/auxv.h>\nint main(void)\n{\n"
            '    FILE *f = fopen("out", "w"), *v = fopen("v", "r");\n'
            '    fprintf(f, "%s %c\\n", (char *)getauxval(AT_EXECFN), getc(v));\n    return fclose(f);\n}',
        ),
        ["echo 2 > v"],
    ),
    Case(
        "the number of the next descriptor",
        _tree(
            "out: v p.py\n\t+python3 p.py",
            p_py="f = open('v')\nprint(f.fileno(), f.read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
        build="make -j4",
    ),
    Case(
        "standard output that is nothing",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import os\nprint(oct(os.fstat(1).st_mode), open('v').read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
        build="make > /dev/null",
    ),
    Case(
        "a program in memory",
        _tree(
            "out: p.py s interp\n\tpython3 p.py > out\ninterp: i.c\n\tgcc -o interp i.c",
            s="#!./interp",
            i_c='#include <stdio.h>\nint main(void) { puts("1"); }',
            p_py="import os\nf = os.memfd_create('m', 0)\nos.write(f, open('s', 'rb').read())\n"
            "os.execve(f, ['s'], os.environ)",
        ),
        ["sed -i s/1/2/ i.c", "echo '#!/bin/true' > s"],
    ),
]
INHERITED = [
    Case(
        "what a core dump would hold",
        _tree("out: v\n\tcat /proc/self/coredump_filter v > out"),
        ["echo 2 > v"],
        build="sh -c 'echo 0x7 > /proc/self/coredump_filter; exec make'",
    ),
    Case(
        "what a core dump would hold, set by a recipe",
        _tree(
            "out: v\n\techo 0x7 > /proc/$$$$/coredump_filter; cat /proc/self/coredump_filter v > out"
        ),
        ["echo 2 > v"],
    ),
    Case(
        "how late a timer may be",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import ctypes\n"
            "print(ctypes.CDLL(None).prctl(30), open('v').read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
        build="python3 -c 'import ctypes, os, signal; ctypes.CDLL(None).prctl(29, 77777);"
        ' [signal.signal(s, 0) for s in (13, 25)]; os.execlp("make", "make")\'',
    ),
    Case(
        "a filter of system calls",
        _tree("out: v\n\tgrep Seccomp_filters /proc/self/status > out; cat v >> out"),
        ["echo 2 > v"],
    ),
    Case(
        "who traces it",
        _tree(
            "out: v\n\tgrep TracerPid /proc/self/status | grep -q '\t0$$' && cp v out || echo no > out"
        ),
        ["echo 2 > v"],
    ),
    Case(
        "a program that cannot trace itself goes another way",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import ctypes\n"
            "print(ctypes.CDLL(None).ptrace(0, 0, 0, 0), open('v').read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
    ),
    Case(
        "a place that the kernel lets nobody into",
        _tree(
            "out: v\n\t(ln -s v l && echo yes || echo no) > out; cat v >> out",
            l_py="import ctypes, os, signal, struct\nc = ctypes.CDLL(None)\n"
            "a = ctypes.create_string_buffer(struct.pack('Q', 1 << 12))\n"
            "c.prctl(38, 1, 0, 0, 0)\nc.syscall(446, c.syscall(444, a, 8, 0), 0)\n"
            "for s in (signal.SIGPIPE, signal.SIGXFSZ): signal.signal(s, signal.SIG_DFL)\n"
            "os.execlp('make', 'make')",
        ),
        ["echo 2 > v"],
        build="python3 l.py",
    ),
    Case(
        "where its memory comes from",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import ctypes\nm = ctypes.c_int()\n"
            "ctypes.CDLL(None).syscall(239, ctypes.byref(m), None, 0, None, 0)\n"
            "print(m.value, open('v').read(), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
        build="python3 -c 'import ctypes, os, signal; ctypes.CDLL(None).syscall(238, 4, None, 0);"
        ' [signal.signal(s, 0) for s in (13, 25)]; os.execlp("make", "make")\'',
    ),
    Case(
        "who it is in a namespace of its own",
        _tree(
            "out: v\n\t(id -u; cat v) > out",
            n_py="import ctypes, os\nc = ctypes.CDLL(None)\n"
            "p = c.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)\n"
            "if p == 0: os.execlp('make', 'make')\nos.waitpid(p, 0)\n",
        ),
        ["echo 2 > v"],
        build="python3 n.py",
    ),
    Case(
        "a child that nobody may watch",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import ctypes, os\nc = ctypes.CDLL(None)\np = c.syscall(56, 0x00800000 | 17, 0, 0, 0, 0)\n"
            "if p == 0:\n    try:\n        t = open('v').read()\n    except OSError as e:\n"
            "        os._exit(1)\n    os._exit(10 + int(t))\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]), file=open('out', 'w'))",
        ),
        ["echo 2 > v"],
    ),
]
FILES = [
    Case(
        "how many names a file has",
        _tree("all: n copy\ncopy: v\n\tsleep 0.2; ln v copy\nn: copy v\n\tstat -c %h v > n"),
        ["echo 2 > v", "echo 3 > v"],
    ),
    Case(
        "names of one file, one of them made anew with the same in it",
        _tree(
            "t: a b w\n\ttar --mtime=@0 --owner=0 --group=0 -cf t a b; cat w >> t\n"
            "b: a\n\tln a b\na: v\n\twc -l < v > a"
        ),
        ["echo 2 > v; echo 2 > w", "echo 2 > w"],
    ),
    Case(
        "the kind of a name in a listing",
        _tree(
            "out: e/a\n\tfind e -type l > out\n"
            "e/a: v\n\tmkdir -p e; if [ $$(cat v) = 1 ]; then ln -s x e/a; else cp v e/a; fi"
        ),
        ["echo 2 > v", "echo 1 > v"],
    ),
    Case(
        "the kind of a tree's name in a listing",
        _tree("out:\n\tfind d -type l > out") + "echo 1 > d/a",
        ["rm d/a; ln -s keep d/a", "rm d/a; echo 1 > d/a"],
    ),
    Case(
        "a name that a command makes or does not",
        _tree(
            "out: a\n\tls > out\na: v\n\tif [ $$(cat v) = 1 ]; then touch b; else touch b; rm b; fi; touch a"
        ),
        ["echo 2 > v", "echo 1 > v"],
    ),
    Case(
        "a target that is not made",
        _tree("out: a w\n\tls > out; cat w >> out\na: v\n\ttouch a; [ $$(cat v) = 1 ] || rm a"),
        ["echo 2 > v", "echo 1 > v"],
    ),
    Case(
        "a file that becomes a link to a folder",
        _tree("out:\n\tif test -e l/x; then echo yes; else echo no; fi > out")
        + "echo 1 > l; echo 1 > d/x",
        ["rm l; ln -s d l", "rm l; echo 2 > l"],
    ),
    Case(
        "an attribute that a read-only descriptor sets",
        _tree(
            "out: b w\n\tlsattr a | cut -c1-16 > out; cat w >> out\n"
            "b: a\n\tsleep 0.3; chattr +d a; touch b\na: v\n\tcp v a"
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a date outside",
        _tree(
            "out: v\n\tif [ $$(stat -c %Y @OUT@/o.h) -gt 1550000000 ]; then echo 0;"
            " elif [ @OUT@/o.h -nt @OUT@/flag ]; then echo 1; else echo 2; fi > out"
        ),
        [
            ("touch -d @1500000000 @OUT@/o.h; touch -d @1600000000 @OUT@/flag", "echo 2 > w"),
            ("touch -d @1400000000 @OUT@/flag", "echo 3 > w"),
            ("touch -d @1700000000 @OUT@/flag", "echo 4 > w"),
        ],
    ),
    Case(
        "a temporary file by a path through the tree",
        _tree("out: a w\n\tcat ../tmp/f w > out\na: v\n\tcp v ../tmp/f; echo done > a"),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a temporary file through a link of the tree",
        _tree("out: a w\n\tcat t/f w > out\na: v\n\tcp v t/f; echo done > a") + "ln -s ../tmp t",
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a folder that may be written to, through a link of the build's",
        _tree(
            "out: o/a w\n\tcat o/a w > out\no/a: v o\n\tcp v o/a\n"
            "o:\n\tmkdir -p @OUT@/made; ln -s @OUT@/made o"
        ),
        ["echo 2 > v", "echo 2 > w"],
        writable=["@OUT@"],
    ),
    Case(
        "change times",
        _tree(
            "out: b w\n\tfind a -cnewer b > out; cat w >> out\nb: a\n\tsleep 0.05; touch b\na: v\n\tcp v a"
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "change times by ls",
        _tree(
            "out: a b w\n\tls -tc a b > out; cat w >> out\nb: a\n\tsleep 0.05; touch b\na: v\n\tcp v a"
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a file without a name, then named",
        _tree(
            "out: a w\n\tcat a w > out\na: v p.py\n\tpython3 p.py",
            p_py="import os\nf = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o644)\n"
            "os.write(f, open('v', 'rb').read())\n"
            "import ctypes\nctypes.CDLL(None).linkat(-100, f'/proc/self/fd/{f}'.encode(), -100, b'a', 0x400)",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a file of the tree that is moved, by a command of its own",
        _tree(
            "all: out a b\nout: v o\n\tls > out; cat v >> out\no:\n\tmv w moved; cp moved o\n"
            "a: v x\n\tcat v x > a\nb: x o\n\tcat x > b; echo more >> x",
        )
        + "echo 1 > x",
        [
            "echo 2 > v",
            "echo 3 > v; echo 1 > y",
            "echo 2 > w",
            "echo 3 > v",
            "echo 2 > x",
            "git rm -q y; echo 9 > v",
            "git rm -q w; echo 5 > v",
            "echo 2 > w",
        ],
        build="make",
    ),
    Case(
        "a file of the tree that is moved before others look for it",
        _tree(
            "all: one two\nconf: w\n\tmv x x.old; cp x.old d/x; touch conf\n"
            "one two: conf v\n\tcat x d/x v > $@ 2> /dev/null || true",
        )
        + "echo 1 > x",
        ["echo 2 > v", "echo 2 > x", "echo 3 > v", "echo 3 > w", "echo 4 > v; echo 1 > y"],
    ),
    Case(
        "a file of the tree that a script comes to remove",
        _tree("out: gen v\n\tsh gen", gen="cat v > out") + "echo 1 > x; echo 1 > y",
        ["echo 'cat v > out; rm x; : > y; rm y' > gen", "echo 3 > w", "echo 3 > v"],
    ),
    Case(
        "two names exchanged",
        _tree(
            "out: c w\n\tcat a b w > out\nc: a b p.py\n\tpython3 p.py; touch c\n"
            "a: v\n\tcp v a\nb: w\n\tcp w b",
            p_py="import ctypes\nctypes.CDLL(None).renameat2(-100, b'a', -100, b'b', 2)",
        ),
        ["echo 2 > v", "echo 3 > w"],
    ),
    Case(
        "copied in the kernel",
        _tree(
            "out: a w\n\tcat a w > out\na: v p.py\n\tpython3 p.py",
            p_py="import os\ns = os.open('v', 0)\nd = os.open('a', os.O_CREAT | os.O_WRONLY, 0o644)\n"
            "os.copy_file_range(s, d, 1)\nos.sendfile(d, s, None, 9)",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a shared mapping, and threads",
        _tree(
            "out: a w\n\tcat a w > out\na: v p.py\n\tpython3 p.py",
            p_py="import mmap, os, threading\nf = os.open('a', os.O_CREAT | os.O_RDWR, 0o644)\n"
            "os.ftruncate(f, 2)\nm = mmap.mmap(f, 2)\n"
            "def run():\n    os.chdir('d')\n    m[:] = open('../v', 'rb').read()\n"
            "t = threading.Thread(target=run)\nt.start()\nt.join()\n"
            "open('../b', 'w').write(open('../v').read())",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "blocks of a file with holes",
        _tree(
            "out: a w\n\tstat -c %b,%s a > out; cat w >> out\na: v\n\ttruncate -s 1M a; cat v >> a; sync a"
        ),
        ["echo 2 > v", "echo 2 > w", "seq 9000 > v"],
    ),
    Case(
        "a socket of the build's own",
        _tree(
            "out: v p.py\n\tpython3 p.py > out",
            p_py="import socket\na = socket.socket(socket.AF_UNIX)\na.bind('s')\na.listen()\n"
            "b = socket.socket(socket.AF_UNIX)\nb.connect('s')\nc = a.accept()[0]\n"
            "c.send(open('v', 'rb').read())\nprint(b.recv(9))",
        ),
        ["echo 2 > v"],
    ),
]
MAKES = [
    Case(
        "make goes by a date that is given",
        _tree("a: v\n\ttouch -d @$$(cat v) a\nb0:\n\techo 0 > b\nb: a\n\techo 1 > b")
        + "echo 100000000 > v",
        ["echo 4000000000 > v", "echo 100000001 > v"],
        build="make b0; make a; make b",
    ),
    Case(
        "the shell asks whether it may write",
        _tree("a: v\n\trm -f a; cp w a; chmod $$(cat v) a\nb:\n\techo 1 > out\nc:\n\techo 2 > out")
        + "echo 444 > v",
        ["echo 644 > v"],
        build="make a; if [ -w a ]; then make b; else make c; fi",
    ),
    Case(
        "an object that make loads",
        _tree(
            "load l.so(setup)\nout:\n\techo $(size v) > out\n",
            l_c="#include <gnumake.h>\n#include <stdio.h>\n#include <sys/stat.h>\n"
            "int plugin_is_GPL_compatible;\n"
            "static char *size(const char *n, unsigned c, char **v)\n{\n    struct stat st;\n"
            "    char *s = gmk_alloc(20);\n    stat(v[0], &st);\n"
            '    sprintf(s, "%ld", (long)st.st_size);\n    return s;\n}\n'
            'int setup(void) { gmk_add_function("size", size, 1, 1, 0); return 1; }',
        ),
        ["echo 22 > v", "echo 333 > v"],
        build="gcc -shared -fPIC -o l.so l.c && make",
    ),
    Case(
        "what make reads and writes by itself",
        _tree("$(file > made,$(file < v))\nout: w\n\tcat made w > out"),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "members of an archive",
        _tree("out: l.a(v) l.a(w)\n\tar p l.a > out\n(%): %\n\tar rcD $@ $<"),
        ["echo 2 > v", "echo 2 > w"],
        build="make",
    ),
    Case(
        "targets in a group, expanded twice, in one shell",
        _tree(
            ".ONESHELL:\n.SECONDEXPANSION:\nN = w\nall: a b\na b &: v $$(N) | d\n"
            "\tx=$$(cat v)\n\techo $$x > a\n\tcat w > b\nN = w"
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "a date that is still to come",
        _tree("all: b\nb: a w\n\tcat a w > b\na: v\n\tcp v a; touch -d '2040-01-01' a"),
        ["echo 2 > v", "echo 2 > w"],
        build="make; make",
    ),
    Case(
        "a file of arguments, written by make",
        _tree("out: v w\n\t$(file >out.rsp,v w)cat $$(cat out.rsp) > out"),
        ["echo 2 > v", "echo 2 > w"],
    ),
    Case(
        "ninja: restat, a file of arguments, rules that are made, dyndep",
        _tree(
            "",
            build_ninja="rule gen\n command = sh gen.sh\n generator = 1\nrule c\n"
            " command = sh c.sh $in $out\n restat = 1\nrule r\n"
            " command = cat @$out.rsp > $out; cat $in >> $out\n rspfile = $out.rsp\n"
            " rspfile_content = $in\nrule d\n command = sh d.sh\nbuild build.ninja: gen rules.in gen.sh\n"
            "build a: c v\nbuild dd: d d.sh w\nbuild out: c a || dd\n dyndep = dd\n",
            gen_sh="touch build.ninja",
            rules_in="1",
            c_sh="cat $1 > $2; cat w >> $2",
            d_sh="printf 'ninja_dyndep_version = 1\\nbuild out: dyndep | w\\n' > dd",
        ),
        ["echo 2 > w", "echo 2 > v", "echo 3 > w; echo 3 > v"],
        build="ninja",
        ignore="ninja_(log|deps)|build.ninja",
    ),
    Case(
        "a make of another kind above",
        _tree(
            "out: v\n\tcat v > out",
            b_py="import subprocess\nsubprocess.run(['make'], check=True)\n"
            "open('b', 'w').write(str(len(open('v').read())))",
        ),
        ["echo 22 > v", "echo 333 > v"],
        build="python3 b.py",
    ),
    Case(
        "in place by sed, perl and awk",
        _tree(
            "out: v w\n\tcp v a; sed -i s/1/x/ a; perl -pi -e 's/2/y/' a; awk '{print $$1}' a w > out"
        ),
        ["echo 12 > v", "echo 2 > w"],
    ),
    Case(
        "libtool",
        _tree(
            "libl.la: a.lo\n\tlibtool --tag=CC --mode=link gcc -o libl.la a.lo -rpath /usr/lib\n"
            "a.lo: a.c v.h\n\tlibtool --tag=CC --mode=compile gcc -c a.c -o a.lo",
            a_c='#include "v.h"\nint a = V;',
            v_h="#define V 1",
        ),
        ["echo '#define V 2' > v.h", "echo '#define V 3' > v.h"],
    ),
    Case(
        "by locale",
        _tree("out: v\n\t(sort v; date -d @0 +%c) > out") + "printf 'b\\nA\\n' > v",
        [("@LC_ALL=C.UTF-8", "echo 2 > w"), ("@LC_ALL=C", "printf 'c\\nB\\n' > v")],
    ),
    Case(
        "a folder's access list that its files inherit",
        _tree(
            "out: e/a w\n\tstat -c %a e/a > out; cat w >> out\ne/a: v e p.py\n\tcp v e/a\n"
            "e:\n\tmkdir e; python3 p.py",
            p_py="import os, struct\n"
            "acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', t, p, 0xffffffff)"
            " for t, p in ((1, 6), (4, 4), (32, 0)))\n"
            "try: os.setxattr('e', 'system.posix_acl_default', acl)\nexcept OSError: pass",
        ),
        ["echo 2 > v", "echo 2 > w"],
    ),
]
ALTERED = [
    Case(
        "a script of the tree that is made executable, and another that gets a date",
        _tree(
            "out: gen v\n\tchmod +x gen; touch d/keep; ./gen out\nall: out two\ntwo: out w\n\tcat w > two",
            gen="#!/bin/sh\ncat v > $1",
        ),
        ["echo 2 > w", "chmod +x gen", "echo 3 > w", "echo 2 > v", "echo 4 > w"],
        build="make all",
    ),
    Case(
        "a link of the tree that is set anew",
        _tree("all: a out\na: x\n\tln -sfn w l; touch a\nout: a z\n\tcat l z > out")
        + "ln -s v l; echo 1 > z; echo 1 > x",
        ["echo 2 > z", "echo 2 > w", "ln -sfn z l", "echo 3 > z", "echo 3 > v"],
    ),
    Case(
        "a file of the tree that the build's own shell has changed",
        _tree("all: out two\nout: v\n\tcp v out\ntwo: w\n\tcp w two"),
        ["echo 2 > w", "echo 5 > v", "echo 3 > w"],
        build="sed -i s/1/9/ v; make",
    ),
    Case(
        "a folder of the tree that is removed",
        _tree(
            "all: a out\na: x\n\trm -r d; touch a\nout: a w\n\t(ls -d d || echo none; cat w) > out"
        )
        + "echo 1 > x",
        ["echo 2 > w", "touch d/more", "echo 3 > w", "git rm -q d/keep; echo 4 > w"],
    ),
    Case(
        "a file of the tree that is changed, and a step that does not build",
        _tree(
            "all: a out\na: x\n\techo more >> y; touch a\nout: a w\n\ttest $$(cat w) != 2; cat w y > out"
        )
        + "echo 1 > x; echo 1 > y",
        ["echo 2 > w", "echo 3 > w", "echo 2 > w; echo 5 > y", "echo 4 > w", "echo 5 > w"],
    ),
    Case(
        "a script whose first line has words, in a folder below",
        _tree("all:\n\t$(MAKE) -C s out\n", m="out: gen ../v\n\t./gen out")
        + "mkdir s; mv m s/Makefile\ncat > s/gen <<'EOT'\n#!/usr/bin/env -S sh -e -u\n"
        'echo "$0 $# $-" > $1; cat ../v >> $1\nEOT\nchmod +x s/gen',
        ["echo 2 > v", "echo 3 > v"],
    ),
    Case(
        "standard error that is nothing",
        _tree(
            "out: v p.py\n\tpython3 p.py",
            p_py="import os\nf = open('out', 'w')\n"
            "print(*[oct(os.fstat(n).st_mode) for n in (1, 2)], open('v').read(), file=f)",
        ),
        ["echo 2 > v"],
        build="make 2> /dev/null",
    ),
    Case(
        "a folder that is full",
        _tree("out: v\n\trmdir d 2> /dev/null && echo 1 > out || echo 2 > out; cat v >> out"),
        ["echo 2 > v", "touch d/n", "echo 3 > v"],
    ),
    Case(
        "what the kernel says of itself",
        _tree("out: v\n\tcat /proc/sys/kernel/random/uuid > uuid; cp v out"),
        ["echo 2 > v", "echo 2 > w"],
        ignore="uuid",
    ),
]
ALL = [*CALLED, *INHERITED, *FILES, *ALTERED, *MAKES]


ALWAYS = {
    *("a script's own name", "the working folder, through a link", "who traces it"),
    *("a target that is not made", "a date outside", "change times"),
    *("a temporary file through a link of the tree", "make goes by a date that is given"),
    "a file of the tree that is moved, by a command of its own",
}
"""Some of each kind are run always."""


@pytest.mark.parametrize("case", by_name(ALL, ALWAYS))
def test_every_step_leaves_what_a_clean_build_does(tmp_path: Path, case: Case) -> None:
    outcome = run_case(case, tmp_path, replay=True)
    assert outcome.wrong == [], outcome.how
