# SPDX-License-Identifier: GPL-2.0-or-later
"""Offsets from DWARF are the compiler's own: each is compared with what offsetof said."""

from __future__ import annotations

import json

import pytest

from emu.elf import parse_elf, place
from emu.errors import LayoutError
from emu.layout import Described, Field, Layout
from emu.spaces import LinearAddr
from tests.emu.build import COMPILERS, compile_source

BASE = LinearAddr(0x1000)
SOURCE = r"""
#include <stddef.h>
typedef unsigned int port_t;
enum fixed { FIRST, SECOND = 7, NEGATIVE = -3 };
struct inner { char c; long value; };
struct outer {
    char first;
    union { struct { short low, high; }; int both; };
    const volatile port_t ports[5];
    struct inner inner[3];
    struct { struct { char deep; } a; } named;
    unsigned flag : 1, wide : 12, : 0;
    unsigned long tail : 40;
    struct outer *next;
    char end[];
};
extern struct inner elsewhere[4];
unsigned long where[] = {
    offsetof(struct outer, high), offsetof(struct outer, ports[3]), offsetof(struct outer, inner[2].value),
    offsetof(struct outer, named.a.deep), offsetof(struct outer, next), sizeof(struct outer),
};
long use(struct outer *o, enum fixed e)
{
    o->flag = e;
    return elsewhere[1].value + where[0];
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
def layout(request: pytest.FixtureRequest) -> tuple[Layout, list[int]]:
    elf = parse_elf(compile_source(SOURCE, ".c", ("-O1", request.param, "-gstrict-dwarf")))
    image = place(elf, BASE, lambda name: BASE + 0x1000)
    table = image.bytes_at(image.symbols["where"], 48)
    offsets = [int.from_bytes(table[i : i + 8], "little") for i in range(0, 48, 8)]
    return Layout(image), offsets


def test_offsets(layout: tuple[Layout, list[int]]) -> None:
    types, offsets = layout
    paths = ("high", "ports[3]", "inner[2].value", "named.a.deep", "next")
    assert [types.field("struct outer", path).offset for path in paths] == offsets[:5]
    assert types.sizeof("struct outer") == offsets[5]


def test_sizes(layout: tuple[Layout, list[int]]) -> None:
    types, _ = layout
    assert types.field("struct outer", "ports").size == 20
    assert types.field("struct outer", "inner[0]").size == 16
    assert types.field("struct outer", "next").size == 8
    assert types.field("struct outer", "end").size == 0
    assert types.sizeof("port_t") == 4


def test_bitfields(layout: tuple[Layout, list[int]]) -> None:
    types, _ = layout
    flag, wide = types.field("struct outer", "flag"), types.field("struct outer", "wide")
    assert (flag.bit, flag.width) == (0, 1)
    assert 8 * wide.offset + (wide.bit or 0) == 8 * flag.offset + 1
    assert wide.width == 12
    assert types.field("struct outer", "tail").width == 40


def test_enumerators_and_externs(layout: tuple[Layout, list[int]]) -> None:
    types, _ = layout
    assert (types.enum("SECOND"), types.enum("NEGATIVE"), types.enum("OTHER")) == (7, -3, None)
    assert types.extern_size("elsewhere") == 64
    assert types.extern_size("use") is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "no field 'nothing'"),
        ("first[0]", "is not an array"),
        ("inner[0].nothing", "no field"),
        ("a-b", "not a path"),
        ("", "not a path"),
    ],
)
def test_unknown_fields(layout: tuple[Layout, list[int]], path: str, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        layout[0].field("struct outer", path)


def test_unknown_type(layout: tuple[Layout, list[int]]) -> None:
    assert not layout[0].has("struct missing")
    with pytest.raises(LayoutError, match="no description of struct missing"):
        layout[0].sizeof("struct missing")


def test_lines() -> None:
    image = place(
        parse_elf(compile_source("int f(int a)\n{\n    return a + 1;\n}\n")), BASE, lambda n: BASE
    )
    line = Layout(image).line_at(image.symbols["f"])
    assert str(line) in ("core.c:2", "core.c:3")
    assert Layout(image).line_at(0x10) is None


def test_object_without_debug_information() -> None:
    image = place(parse_elf(compile_source("int f;", ".c", ("-g0",))), BASE, lambda n: BASE)
    with pytest.raises(LayoutError, match="compile with -g"):
        Layout(image).sizeof("struct anything")


def test_damaged_debug_information() -> None:
    data = bytearray(compile_source(SOURCE, ".c", ("-O1", "-g")))
    section = parse_elf(bytes(data)).section(".debug_abbrev")
    assert section is not None
    start = bytes(data).index(bytes(section.data))
    data[start : start + section.size] = b"\xff" * section.size
    with pytest.raises(LayoutError, match="cannot be read"):
        Layout(place(parse_elf(bytes(data)), BASE, lambda n: BASE))


def test_field_is_a_value() -> None:
    assert Field(4, 2) == Field(4, 2, None, 0)


LINES = r"""
.file 1 "first.c"
.file 2 "second.h"
.text
f:
    .loc 1 1000
    nop
    .loc 2 7
    nop
    .skip 299, 0x90
    .loc 1 3
    nop
    .section .text.other, "ax"
g:  .loc 1 500
    nop
"""


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_lines_of_the_assembler(version: str) -> None:
    """Forwards and back, far steps, another file, another sequence: rows of every sort of opcode."""
    image = place(parse_elf(compile_source(LINES, ".s", (version,))), BASE, lambda name: BASE)
    lines = Layout(image)
    f, g = image.symbols["f"], image.symbols["g"]
    wanted = {
        f: "first.c:1000",
        f + 1: "second.h:7",
        f + 300: "second.h:7",
        f + 301: "first.c:3",
        g: "first.c:500",
    }
    assert {at: str(lines.line_at(at)) for at in wanted} == wanted
    assert lines.line_at(g + 1) is None
    assert lines.line_at(f - 1) is None


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_code_that_no_line_is_for(version: str) -> None:
    """clang gives it the number 0, which the assembler leaves out: back by 998 lines, made 1000."""
    core = compile_source(LINES.replace(".loc 2 7", ".loc 1 2"), ".s", (version,))
    assert core.count(b"\x03\x9a\x78") == 1
    core = core.replace(b"\x03\x9a\x78", b"\x03\x98\x78")
    image = place(parse_elf(core), BASE, lambda name: BASE)
    lines, f = Layout(image), image.symbols["f"]
    assert str(lines.line_at(f)) == "first.c:1000"
    assert (lines.line_at(f + 1), lines.line_at(f + 300)) == (None, None)
    assert str(lines.line_at(f + 301)) == "first.c:1"


def test_a_line_table_without_end_is_none() -> None:
    core = bytearray(compile_source(LINES, ".s", ("-gdwarf-4",)))
    section = parse_elf(bytes(core)).section(".debug_line")
    assert section is not None
    start = bytes(core).index(bytes(section.data))
    core[start + section.size - 40 : start + section.size] = b"\x02" + b"\xff" * 39
    image = place(parse_elf(bytes(core)), BASE, lambda name: BASE)
    assert Layout(image).line_at(image.symbols["f"]) is None


UNUSED = r"""
struct known { int first, second; };
struct dropped { int first, second; };
enum dropped_too { NUMBER = 4 };
int use(struct known *known) { return known->second; }
"""
BESIDES = Described(
    {"struct known": 96, "struct dropped": 8},
    {"struct known": {"third": Field(64, 4)}, "struct dropped": {"second": Field(4, 4)}},
    {"NUMBER": 4},
)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_type_that_the_compiler_has_dropped(compiler: str) -> None:
    image = place(parse_elf(compile_source(UNUSED, compiler=compiler)), BASE, lambda name: BASE)
    assert not Layout(image).has("struct dropped")
    assert Layout(image).enum("NUMBER") is None
    layout = Layout(image, BESIDES)
    assert layout.sizeof("struct known") == 8, "the object knows best"
    assert not layout.has("struct known", "third")
    assert layout.borrowed == set()
    assert layout.sizeof("struct dropped") == 8
    assert layout.field("struct dropped", "second") == Field(4, 4)
    assert layout.enum("NUMBER") == 4
    assert layout.borrowed == {"struct dropped"}
    with pytest.raises(LayoutError, match="no field 'first'"):
        layout.field("struct dropped", "first")
    with pytest.raises(LayoutError, match="no description of struct missing"):
        layout.sizeof("struct missing")


def test_what_is_described_outlives_the_object() -> None:
    flags = ("-g", "-fno-eliminate-unused-debug-types")
    image = place(parse_elf(compile_source(UNUSED, ".c", flags)), BASE, lambda name: BASE)
    wanted = {"struct dropped": ("second", "third"), "struct missing": ("first",)}
    found = Layout(image).described(wanted, ("NUMBER", "NO_NUMBER"))
    assert found == Described(
        {"struct dropped": 8}, {"struct dropped": {"second": Field(4, 4)}}, {"NUMBER": 4}
    )
    assert Described.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found
    assert not Described()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_variables_that_move(compiler: str, version: str) -> None:
    """clang numbers the lists of a variable's places (DWARF 5, 7.29), gcc points at them."""
    source = "int g(int); int f(int a) { int b = g(a); a = g(b); return g(a) + b; }\n"
    core = compile_source(source, ".c", ("-O2", version), compiler)
    image = place(parse_elf(core), BASE, lambda name: BASE + 0x1000)
    assert Layout(image).sizeof("int") == 4
    assert str(Layout(image).line_at(image.symbols["f"])).endswith("core.c:1")
