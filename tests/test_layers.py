# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports run one way: backport -> {series, emu}; and heavy libraries stay where they are used."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.backport.trees import backport, commit, lines, new_repo, two_files

ROOT = Path(__file__).parents[1]
FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "backport": (
        ("__main__",),
        ("cli",),
        ("commands",),
        ("export", "release"),
        ("report", "sample"),
        ("branches", "mend"),
        ("run", "backtest"),
        ("survey",),
        ("validate",),
        ("history", "planning", "builds"),
        ("pick",),
        ("gateway",),
        ("store",),
    ),
    "series": (("ordering",), ("graph",), ("placement", "reading", "symbols")),
}
"""Rooms from the top down: one imports what stands below it, and the files of the ground floor."""
GROUND: dict[str, tuple[str, ...]] = {
    "backport": (
        "accepted",
        "config",
        "config_keys",
        "counted",
        "distribution",
        "environment",
        "errors",
        "interrupts",
        "levels",
        "defects",
        "merged_findings",
        "verdicts",
    ),
    "series": ("binary", "errors", "lines", "model", "numbering", "reverse", "ties"),
}
"""Files that stand beside the rooms; they import each other and no room."""
ENVIRONMENT = {
    "backport/commands/here.py",
    "backport/report/page.py",  # the width of the terminal that it writes to
    "backport/sample/git.py",  # where git is: the sample is made where no repository is
}
"""The files that look at the process's environment; all others are given it as a value."""
LIBGIT2 = {"gateway", "pick/merge.py", "builds/recorded/decide.py", "distribution.py"}
FORBIDDEN = {
    "series": {"backport", "emu", "git", "pygit2", "subprocess", "unicorn"},
    "emu": {"backport", "series", "git", "pygit2", "subprocess"},
    "backport": {"unicorn"},
}


pytestmark = pytest.mark.xdist_group("the layers")
"""They share what one of them has parsed."""


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The imports and attributes in a file, anywhere in it."""
    kinds = (ast.Import, ast.ImportFrom, ast.Attribute)
    return tuple(node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes(path):
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
    for node in nodes(path):
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


def room(name: str) -> str:
    """The room of a module, or the file of the ground floor."""
    return name.split(".")[1] if "." in name else ""


def upward(package: str) -> list[str]:
    """The imports that lead to a room of the same floor or of a higher one."""
    floor = {name: at for at, names in enumerate(FLOORS[package]) for name in names}
    lowest = len(FLOORS[package])
    floor |= dict.fromkeys(GROUND[package], lowest)
    known = modules()
    found = []
    for name, path in known.items():
        if not name.startswith(f"{package}."):
            continue
        for wanted in requests(path, known):
            if not wanted.startswith(f"{package}.") or room(wanted) == room(name):
                continue
            here, there = floor[room(name)], floor[room(wanted)]
            if there < here or there == here < lowest:
                found.append(f"{name} imports {wanted}")
    return found


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_lower_floors_only(package: str) -> None:
    assert upward(package) == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_has_its_floor(package: str) -> None:
    """A new folder, or a file beside the rooms, is given a place before anything can import it."""
    there = {room(name) for name in modules() if name.startswith(f"{package}.")}
    placed = {name for names in FLOORS[package] for name in names} | set(GROUND[package])
    assert there <= placed


def test_an_arrow_up_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same imports with two floors exchanged (run and validate): what is below is above then."""
    floors = list(FLOORS["backport"])
    floors[6], floors[7], floors[8] = floors[8], floors[7], floors[6]
    monkeypatch.setitem(FLOORS, "backport", tuple(floors))
    assert any(arrow.startswith("backport.run.") for arrow in upward("backport"))


def test_reports_are_given_values() -> None:
    known = modules()
    for name, path in known.items():
        if name.startswith("backport.report."):
            wanted = requests(path, known)
            assert not {w for w in wanted if w.startswith("backport.gateway")}, name
            functions = {"backport.run.relating", "backport.run.life", "backport.run.assembly"}
            assert not wanted & functions, name


def test_the_environment_is_read_at_the_command_line() -> None:
    readers = set()
    for path in (ROOT / "backport").rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv"):
                readers.add(str(path.relative_to(ROOT)))
    assert readers == ENVIRONMENT


def test_git_is_reached_through_the_gateway() -> None:
    for path in (ROOT / "backport").rglob("*.py"):
        name = str(path.relative_to(ROOT / "backport"))
        if "git" in imported(path):
            assert name == "gateway/git_runner.py"
        if "pygit2" in imported(path):
            assert name in LIBGIT2 or name.split("/")[0] in LIBGIT2


_COLLECTED = """
import pytest

class Named(pytest.File):
    def collect(self):
        return ()

class Names:
    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path, parent):
        print("found", module_path.relative_to(parent.config.rootpath))
        return Named.from_parent(parent, path=module_path)

pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider"], plugins=[Names()])
"""
"""The runner's own walk: which files it would import, without importing them, which the other tests show."""


def test_every_test_file_is_collected() -> None:
    """A runner leaves out folders by their names (``build``, ``dist``, ...), and says nothing."""
    words = [sys.executable, "-c", _COLLECTED]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = {line[6:] for line in done.stdout.splitlines() if line.startswith("found ")}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    assert there == seen


def test_no_file_holds_what_a_merge_left_open() -> None:
    for folder in ("backport", "emu", "series", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".json", ".toml"):
                lines = path.read_text().splitlines()
                assert not [x for x in lines if x.startswith(("<" * 7 + " ", ">" * 7 + " "))], path


def test_unicorn_is_imported_in_one_file() -> None:
    users = [path.name for path in (ROOT / "emu").rglob("*.py") if "unicorn" in imported(path)]
    assert users == ["engine.py"]


def test_help_loads_nothing_heavy() -> None:
    heavy = ("pygit2", "git", "networkx", "unicorn", "elftools", "capstone", "unidiff", "jinja2")
    code = "import sys, backport.cli; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def loaded(repo: Path, verb: str, *heavy: str) -> str:
    """Which of ``heavy`` a verb has loaded when it ends."""
    code = (
        "import atexit, sys\nnames, sys.argv = sys.argv[2:], ['backport', sys.argv[1]]\n"
        "atexit.register(lambda: print('loaded', sorted(set(sys.modules) & set(names))))\n"
        "from backport.__main__ import main\nmain()"
    )
    words = [sys.executable, "-c", code, verb, *heavy]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_where_nothing_is_staged_or_waits_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """`check` is a hook before every commit, `status` stands in prompts."""
    repo = new_repo(tmp_path / "repo", {"a.c": "int a;\n"})
    heavy = ("pygit2", "git", "networkx", "unicorn", "elftools", "unidiff", "jinja2", "rich")
    for verb in ("check", "status"):
        assert loaded(repo, verb, *heavy) == "loaded []", verb


def test_a_waiting_conflict_is_told_of_without_git_python(tmp_path: Path) -> None:
    repo = two_files(tmp_path / "repo", ("one", {"a.c": lines((5, "theirs"))}))
    commit(repo, {"a.c": lines((5, "ours"))}, "stable: the same line")
    stopped = backport(repo, "apply", "--branch", "stable", "--series", "topic~1..topic")
    assert stopped.exit_code == 3, stopped.output
    heavy = ("git", "networkx", "unicorn", "elftools", "unidiff", "jinja2", "rich")
    assert loaded(repo, "status", *heavy) == "loaded []"


def test_every_file_says_its_licence() -> None:
    for folder in ("backport", "emu", "series", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-or-later"), path


# --- the rooms of emu/ -----------------------------------------------------------------------------

EMU_FLOORS = (
    {"errors", "spaces"},
    {"abi", "core_source", "hardware"},
    {"elf", "findings"},
    {"interactions", "guest", "layout", "l0", "cpu"},
    {"profile"},
    {"rules"},
    {"object", "booted"},
)
"""Rooms and ground-floor files; each imports those on lower floors only."""


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


def test_every_rule_is_checked_at_a_level() -> None:
    from emu.booted.observed import RULES
    from emu.object.observed import AFTER_RETURN, ALWAYS
    from emu.rules import Rule

    checked = {type(rule) for rule in (*RULES, *AFTER_RETURN, *ALWAYS)}
    assert checked == set(Rule.__subclasses__())
    assert all(rule.reason for rule in RULES)
    assert all(rule.reason for rule in AFTER_RETURN)


# --- folders and files by their names --------------------------------------------------------------

FILES_OF_ONE_NAME: dict[str, dict[str, set[str]]] = {
    "backport": {  # a verb, what it does, and how its result is shown
        "behaviour": {"backport/commands", "backport/report", "backport/validate"},
        "bisect": {"backport/commands", "backport/validate"},
        "config": {"backport/commands", "backport"},
        "deps": {"backport/commands", "backport/report", "backport/survey"},
        "graph": {"backport/commands", "backport/report"},
        "life": {"backport/branches", "backport/run"},
        "owed": {"backport/commands", "backport/report", "backport/survey"},
        "plan": {"backport/commands", "backport/planning"},
        "provenance": {"backport/commands", "backport/report", "backport/survey"},
        "unconcerned": {"backport/run", "backport/report"},
    },
    "series": {},
    "emu": {  # the same thing at each level of emulation
        name: {"emu/booted", "emu/object"}
        for name in (
            *("emulate", "expectations", "facts", "judging"),
            *("machine", "observed", "selection"),
        )
    },
}
"""The names that stand in several folders of a package, since the files are parts of one thing."""


def folders() -> dict[str, list[Path]]:
    """Every folder of the three packages that holds files, with these; the sample's trees are data."""
    found: dict[str, list[Path]] = {}
    for package in FORBIDDEN:
        for path in (ROOT / package).rglob("*"):
            name = str(path.parent.relative_to(ROOT))
            if path.is_file() and "__pycache__" not in name and "backport/sample/" not in name:
                found.setdefault(name, []).append(path)
    return found


def test_the_table_of_architecture_is_the_folders() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text().split("## The folders")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)/` \| \S", table, re.MULTILINE)
    assert sorted(rows) == sorted(folders())


def test_the_table_of_architecture_reads_from_the_top_down() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text()
    for package, floors in {**FLOORS, "emu": EMU_FLOORS[::-1]}.items():
        rooms = re.findall(rf"^\| `{package}/(\w+)/` \|", table, re.MULTILINE)
        if package == "emu":
            rooms.remove("profiles")  # data
        floor = {name: at for at, names in enumerate(floors) for name in names}
        assert [floor[room] for room in rooms] == sorted(floor[room] for room in rooms), package


def test_no_file_has_the_name_of_its_room() -> None:
    for name, paths in folders().items():
        for path in paths:
            assert not {path.stem, f"{path.stem}s"} & set(name.split("/")), path


@pytest.mark.parametrize("package", FILES_OF_ONE_NAME)
def test_no_two_files_have_one_name_unless_they_are_one_thing(package: str) -> None:
    where: dict[str, set[str]] = {}
    for name, paths in folders().items():
        for path in paths:
            if name.split("/")[0] == package and path.suffix == ".py" and path.stem != "__init__":
                where.setdefault(path.stem, set()).add(name)
    shared = {stem: rooms for stem, rooms in where.items() if len(rooms) > 1}
    assert shared == FILES_OF_ONE_NAME[package]


def test_a_room_lists_its_own_files() -> None:
    """Where a package's docstring lists files, with two blanks or more before what stands there."""
    for name, paths in folders().items():
        package = ROOT / name / "__init__.py"
        if not package.is_file():
            continue
        text = ast.get_docstring(ast.parse(package.read_text())) or ""
        rows = re.findall(r"^ *((?:\w+(?:\.py)?(?:, )?)+) {2,}\S", text, re.MULTILINE)
        listed = {word.removesuffix(".py") for row in rows for word in row.split(", ")}
        there = {path.stem for path in paths if path.suffix == ".py" and path != package}
        there |= {
            path.name for path in package.parent.iterdir() if (path / "__init__.py").is_file()
        }
        assert not listed or listed == there, package
