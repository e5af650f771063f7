# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports run one way: backport -> {series, emu}; and heavy libraries stay where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "series": {"backport", "emu", "git", "pygit2", "subprocess", "unicorn"},
    "emu": {"backport", "series", "git", "pygit2", "subprocess"},
    "backport": {"unicorn"},
}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not imported(path) & FORBIDDEN[package], path


def modules() -> dict[str, Path]:
    """Every module of the three packages, by its dotted name."""
    found = {}
    for package in FORBIDDEN:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def requests(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Modules that a file imports, anywhere in it: for types and in functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in known else node.module for name in inside}
    return found & known.keys()


def test_imports_make_no_circle() -> None:
    known = modules()
    sorter = TopologicalSorter({name: requests(path, known) for name, path in known.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' <- '.join(error.args[1])}")


def test_unicorn_is_imported_in_one_file() -> None:
    users = [path.name for path in (ROOT / "emu").rglob("*.py") if "unicorn" in imported(path)]
    assert users == ["engine.py"]


def test_help_loads_nothing_heavy() -> None:
    heavy = ("pygit2", "git", "networkx", "unicorn", "elftools", "capstone", "unidiff")
    code = "import sys, backport.cli; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_file_says_its_licence() -> None:
    for folder in ("backport", "emu", "series", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-or-later"), path


# --- the rooms of emu/ -----------------------------------------------------------------------------

EMU_FLOORS = (
    {"errors", "spaces"},
    {"abi", "hardware"},
    {"elf", "findings"},
    {"interactions", "guest", "layout", "l0", "cpu"},
    {"profile"},
    {"rules"},
    {"object", "booted"},
)
"""Rooms and ground-floor files; each imports those on lower floors only."""
EMU_FILES_OF_ONE_NAME = {"emulate", "expectations", "judging", "machine", "observed", "selection"}
"""The same thing, at each level of emulation."""


def rooms_of_emu() -> dict[str, set[str]]:
    """Each room of emu/, or file beside them, with those that it imports."""
    known = modules()
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        package, _, rest = name.partition(".")
        if package == "emu" and rest:
            others = {request.split(".")[1] for request in requests(path, known) if "." in request}
            own = rest.split(".")[0]
            found.setdefault(own, set()).update(others - {own})
    return found


def test_rooms_of_emu_import_lower_floors_only() -> None:
    floor = {room: number for number, rooms in enumerate(EMU_FLOORS) for room in rooms}
    found = rooms_of_emu()
    assert found.keys() == floor.keys()
    for room, others in found.items():
        assert not {other for other in others if floor[other] >= floor[room]}, room


def test_files_of_emu_have_names_of_their_own() -> None:
    seen: dict[str, str] = {}
    for name, path in modules().items():
        *rooms, file = name.split(".")
        if rooms[:1] == ["emu"] and path.name != "__init__.py":
            assert file not in rooms and f"{file}s" not in rooms, name
            assert file in EMU_FILES_OF_ONE_NAME or file not in seen, (name, seen[file])
            seen[file] = name
    assert seen.keys() >= EMU_FILES_OF_ONE_NAME


def test_every_rule_is_checked_at_a_level() -> None:
    from emu.booted.observed import RULES
    from emu.object.observed import AFTER_RETURN, ALWAYS
    from emu.rules import Rule

    checked = {type(rule) for rule in (*RULES, *AFTER_RETURN, *ALWAYS)}
    assert checked == set(Rule.__subclasses__())
    assert all(rule.reason for rule in RULES)
    assert all(rule.reason for rule in AFTER_RETURN)
