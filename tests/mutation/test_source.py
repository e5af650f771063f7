# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens, statements, declarations and calls of a small source."""

from __future__ import annotations

from tests.mutation.source import Source

TEXT = """\
/* f(x) { in a comment } */
#define TWICE(x) \\
    add((x), (x))
#include <x.h>
static int f(struct d *d, const unsigned int nr)
{
    struct a one = { .p = nr }, *other;
    unsigned long i = 0;
    const char *s = "if ( { )";

#ifdef X
    if ( nr > 3 )
        return g(d, "a, b", (1, 2));
    else
#endif
        for ( i = 0; i < nr; i++ )
        {
            other = &one;
            if ( s[i] == '}' )
                break;
        }
    switch ( nr )
    {
    case 1:
        return 0;
    default:
        break;
    }
    do { g(d); } while ( 0 );

    return -1;
}
"""


def test_functions_and_macros() -> None:
    source = Source("x.c", TEXT)
    assert [(f.name, f.macro) for f in source.functions] == [("TWICE", True), ("f", False)]
    macro, function = source.functions
    assert source.cut(macro.span) == "add((x), (x))"
    assert source.line(function.span.first) == 7


def test_declarations() -> None:
    function = Source("x.c", TEXT).functions[1]
    assert {d.name: d.type for d in function.declared} == {
        "d": "struct d *",
        "nr": "unsigned int",
        "one": "struct a",
        "other": "struct a *",
        "i": "unsigned long",
        "s": "char *",
    }


def test_statements() -> None:
    function = Source("x.c", TEXT).functions[1]
    kinds = [s.kind for s in function.statements]
    assert kinds == ["plain", "plain", "plain", "if", "switch", "do", "return"]
    conditional = function.statements[3]
    assert conditional.otherwise is not None
    assert [s.kind for s in conditional.walk()] == [
        *("if", "return", "for", "block", "plain", "if", "break"),
    ]


def test_calls_and_their_arguments() -> None:
    source = Source("x.c", TEXT)
    call = next(source.calls(source.functions[1].span))
    assert call.name == "g"
    assert [source.cut(a) for a in call.arguments] == ["d", '"a, b"', "(1, 2)"]


def test_an_assignment_is_no_declaration() -> None:
    source = Source("x.c", "void f(int *v)\n{\n    *v = 3;\n    g = *v;\n}\n")
    assert [d.name for d in source.functions[0].declared] == ["v"]
