# SPDX-License-Identifier: GPL-2.0-or-later
"""What a linker goes by: the same for another body, another for another name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from backport.builds.recorded.linker_names import link_names

BASE = "extern int there(void); int f(void) { return there(); } static int s; int *g(void) { return &s; }"


def compiled(folder: Path, source: str) -> bytes:
    (folder / "a.c").write_text(source)
    subprocess.run(["gcc", "-O1", "-c", "a.c"], cwd=folder, check=True)
    return (folder / "a.o").read_bytes()


@pytest.mark.parametrize(
    ("source", "same"),
    [
        (BASE.replace("return there()", "return 7 + there()"), True),
        (f"{BASE} static int another;", True),
        (BASE.replace("there", "elsewhere"), False),
        (f"{BASE} int another(void) {{ return 0; }}", False),
        (BASE.replace("int f(void)", "__attribute__((weak)) int f(void)"), False),
        (BASE.replace("int f(void)", '__attribute__((section(".own"))) int f(void)'), False),
        (BASE.replace("int f(void)", '__attribute__((visibility("hidden"))) int f(void)'), False),
    ],
)
def test_what_is_another_for_a_linker(tmp_path: Path, source: str, same: bool) -> None:
    before = link_names(compiled(tmp_path, BASE))
    assert before is not None
    assert (link_names(compiled(tmp_path, source)) == before) is same


def test_what_is_no_object_has_no_names(tmp_path: Path) -> None:
    whole = compiled(tmp_path, BASE)
    for data in (b"", b"text", whole[:100], whole[:-1000], Path("/bin/sh").read_bytes()):
        assert link_names(data) is None
