# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch brings is what it makes known, and not what it uses."""

from __future__ import annotations

import pytest

from series.symbols.brought import brought_names
from tests.series.strategies import change, patch

NAME = frozenset([b"helper"])

MADE = [
    b"void helper(void);\n",
    b"static int\nhelper(int a)\n{\n",
    b"int\nf(int a,\n  int b);\nint helper(int c,\n           int d);\n",
    b"#define helper(x) (x)\n",
    b"    struct foo *helper;\n",
    b"struct s {\n    struct { int x; } helper;\n};\n",
    b"    int x;\n    } helper;\n",
    b"    int (*helper)(int a);\n",
    b"    unsigned long one, helper;\n",
    b"enum e {\n    one,\n    helper,\n};\n",
    b"struct helper;\n",
    b"struct helper {\n    int x;\n};\n",
    b"typedef int helper;\n",
    b"static struct helper {\n    int x;\n} those[4];\n",
    b"LIST_HEAD(helper);\n",
    b"static int f(int a,\n             unsigned int helper)\n{\n",
    b"static int f(int a,\n             struct foo *helper, int b)\n{\n",
    b"int f(int helper[], int b);\n",
    b"    for ( int helper = 0; a; b )\n",
    b"static LIST_HEAD(helper);\n",
    b"TRACE_EVENT(helper,\n    TP_PROTO(int a),\n",
]
USED = [
    b"    helper();\n",
    b"    f(a,\n      helper,\n      b);\n",
    b"    f(a, b, helper, c);\n",
    b"    a, helper, c);\n",
    b"    helper = f();\n",
    b"    helper[3] = 4;\n",
    b"helper:\n",
    b"    struct helper *x = f();\n",
    b"    struct helper x;\n",
    b"int f(struct helper *x);\n",
    b"    x = (struct helper){ 1 };\n",
    b"int f(int a,\n      const struct helper *x);\n",
    b"    f(sizeof(struct helper));\n",
    b"    /* int helper; */\n",
    b'    f("int helper;");\n',
    b"    return helper;\n",
    b"EXPORT_SYMBOL(helper);\n",
    b"    f(a * helper, b);\n",
    b"    f(a,\n      sizeof helper, b);\n",
    b"    f(a,\n      (struct helper)b, (int)helper);\n",
    b"int f(int a,\n      const helper *x);\n",
    b"    if ( a == helper && g(b) ) helper = c;\n",
    b"    ASSERT(helper);\n",
    b"TRACE_EVENT(other,\n    TP_PROTO(struct helper *a),\n",
    b"f(a,\nASSERT(helper));\n",
]


@pytest.mark.parametrize("text", MADE)
def test_what_makes_it_known(text: bytes) -> None:
    assert brought_names(patch("x", change(b"x/a.c", b"", text, context=3)), NAME) == NAME


@pytest.mark.parametrize("text", USED)
def test_what_uses_it(text: bytes) -> None:
    assert brought_names(patch("x", change(b"x/a.c", b"", text, context=3)), NAME) == frozenset()


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        (b"Kconfig", b"config SHIM\n\tbool\n", b"CONFIG_SHIM"),
        (b"Kconfig", b"menuconfig SHIM\n", b"CONFIG_SHIM"),
        (b"a/Makefile", b"helper := x.o\n", b"helper"),
        (b"a/entry.S", b"ENTRY(helper)\n", b"helper"),
    ],
)
def test_in_other_languages(path: bytes, text: bytes, name: bytes) -> None:
    wanted = frozenset([name])
    assert brought_names(patch("x", change(path, b"", text, context=3)), wanted) == wanted


def test_an_option_in_use_is_not_brought() -> None:
    text = b"config OTHER\n\tdepends on SHIM\n\tselect SHIM\n"
    wanted = frozenset([b"CONFIG_SHIM"])
    assert (
        brought_names(patch("x", change(b"Kconfig", b"", text, context=3)), wanted) == frozenset()
    )


def test_a_line_within_parentheses_that_the_hunk_begins_in() -> None:
    text = b"    const char *b)\n{\n    int helper;\n"
    assert brought_names(patch("x", change(b"x/a.c", b"", text, context=3)), NAME) == NAME
