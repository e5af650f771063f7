# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments counted, and members reached through others, in C text."""

from __future__ import annotations

import pytest

from series.symbols.calls import arguments, called, members


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (b"f();", {0}),
        (b"x = foo(a);", {1}),
        (b"foo(a, b(c, d), (e, f));", {3}),
        (b"foo(a,\n    b,\n    c)", {3}),
        (b"foo(a, (struct s){ 1, 2 }, x[3, 4]); foo(a)", {1, 3}),
        (b"foo(a, b", set()),
        (b"foo = 3; if (foo == 4) ;", set()),
        (b"int foo(int a, int b)\n{", {2}),
    ],
)
def test_the_arguments_of_calls(text: bytes, numbers: set[int]) -> None:
    name = b"f" if text == b"f();" else b"foo"
    assert arguments(text, [name]).get(name, frozenset()) == numbers
    if name == b"foo":
        assert called(text).get(name, frozenset()) == numbers


def test_words_that_only_look_like_calls() -> None:
    assert called(b"if (a) while (b) return (c); sizeof (d)") == {}


def test_a_call_without_end_is_followed_no_longer_than_the_longest() -> None:
    assert arguments(b"foo(%b, 2)" % (b" " * 1900), [b"foo"]) == {b"foo": {2}}
    assert arguments(b"foo(%b, 2)" % (b" " * 2100), [b"foo"]) == {}


def test_members_through_members() -> None:
    found = members(b"d->arch.pv.x = v->arch.msrs->aux + one.two;")
    assert found == {(b"arch", b"pv"), (b"pv", b"x"), (b"arch", b"msrs"), (b"msrs", b"aux")}
