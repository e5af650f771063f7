# SPDX-License-Identifier: GPL-2.0-or-later
"""Constants as the tree at hand has them: asked by the command that compiles its core, followed, kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from backport.builds.probe import ask
from backport.builds.recorded.recording import Run
from backport.cli import app
from backport.commands import options
from backport.config import Settings
from backport.gateway.repository import Repo
from backport.sample.write import write_sample
from backport.store.cache import Cache
from backport.validate.prover import Prover, Target
from backport.verdicts import State, StepVerdict
from emu.elf import parse_elf
from emu.errors import ElfError, ProfileError
from emu.layout import Described, Field, Layout
from emu.object import emulate_object
from emu.object.probe import Answers, differences, probe_source, read_probe
from emu.object.structures import asked_of
from emu.profile import load_profile, with_layouts
from series.model import Oid
from tests.backport.trees import backport, git, open_repo
from tests.emu.build import COMPILERS, SLOWLY, compile_source

ROOT = Path(__file__).parents[3]
PROFILE = load_profile("xen-pv-shim-4.10")
SCHED, CONFIG = "xen/include/xen/sched.h", "xen/include/asm-x86/config.h"


pytestmark = pytest.mark.xdist_group("the sample's probes")
"""They share what one of them has built."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good series, and on it a commit that numbers the states of ports otherwise, and one that says
    it in a header that the core does not read."""
    folder = tmp_path_factory.mktemp("probe") / "tree"
    write_sample(folder)
    words = ("apply", "--branch", "stable-4.10", "--to", "good", "--validate", "none")
    done = backport(folder, *words)
    assert done.exit_code == 0, done.output
    git(folder, "checkout", "-q", "-b", "other", "good")
    header = folder / SCHED
    text = header.read_text()
    swapped = text.replace("ECS_VIRQ        5", "ECS_VIRQ        x").replace(
        "ECS_IPI         6", "ECS_IPI         5"
    )
    header.write_text(swapped.replace("ECS_VIRQ        x", "ECS_VIRQ        6"))
    assert header.read_text() != text
    git(folder, "commit", "-q", "-a", "-m", "xen: other numbers for the states of a port")
    (folder / "README").write_text("nothing that is compiled\n")
    git(folder, "add", "README")
    git(folder, "commit", "-q", "-a", "-m", "a text")
    return folder


def prove(
    sample: Path, *, fast: bool, commits: str = "other~3..other", compiler: str = "gcc"
) -> list[StepVerdict]:
    repo = open_repo(sample)
    settings = options.settings_of(repo, None, validate="object")
    settings = replace(settings, replay=fast, build=f"make -s CC={compiler}")
    names = git(sample, "rev-list", "--reverse", commits).split()
    return _proven(repo, settings, [Oid(name) for name in names])


def _proven(repo: Repo, settings: Settings, commits: Sequence[Oid]) -> list[StepVerdict]:
    found: list[StepVerdict] = []
    with Prover(repo, settings) as prover:
        targets = [Target(n, commit, "") for n, commit in enumerate(commits)]
        prover.prove(targets, found.append, keep_going=True)
    return found


@pytest.mark.torture
def test_a_tree_with_other_numbers_is_judged_by_its_own(sample: Path) -> None:
    plain = [step.verdicts[1] for step in prove(sample, fast=False)]
    assert [v.state for v in plain] == [State.PASSED, State.FAILED, State.FAILED]
    # What was built without a probe is in the cache, and is no answer to who asks with one.
    told = [step.verdicts[1] for step in prove(sample, fast=True)]
    assert [v.state for v in told] == [State.PASSED] * 3
    swapped = (
        "ECS_IPI is 0x5 in this tree (0x6 in the profile); "
        "ECS_VIRQ is 0x6 in this tree (0x5 in the profile)"
    )
    assert [v.how for v in told] == ["", swapped, swapped]
    again = prove(sample, fast=True)
    assert [step.verdicts[1].how for step in again] == ["", swapped, swapped]
    assert all(verdict.cached for step in again for verdict in step.verdicts)
    # A run without replay asks nothing, whatever another has asked.
    unasked = [step.verdicts[1].state for step in prove(sample, fast=False)]
    assert unasked == [State.PASSED, State.FAILED, State.FAILED]


def test_it_is_compiled_again_only_where_what_it_reads_has_changed(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(sample / ".git/backport/cache/build", ignore_errors=True)
    repo = open_repo(sample)
    settings = replace(options.settings_of(repo, None, validate="object"), replay=True)
    with Prover(repo, settings) as prover:
        builder = prover._builder
        assert builder is not None
        assert builder.replay is not None
        builder.build(Oid(git(sample, "rev-parse", "other").strip()))
        run = builder.replay.compiling(PROFILE.core_object)
        assert run is not None

        def told() -> dict[str, int]:
            return dict(ask(PROFILE, run, builder.folder, (), builder.cache, 60).constants)

        assert told()["ECS_IPI"] == 5
        monkeypatch.setattr("backport.builds.probe.run_bounded", lambda *_: (1, ""))
        assert told()["ECS_IPI"] == 5, "kept"
        config = builder.folder / CONFIG
        config.write_text(config.read_text().replace("STACK_ORDER 3", "STACK_ORDER 4"))
        assert told() == {}, "it had to be compiled"
        monkeypatch.undo()
        assert told()["STACK_SIZE"] == 0x10000
        config.write_text("#error no more\n")
        assert told() == {}, "it cannot be compiled"
        assert not list(builder.folder.parent.glob("tmp/probe-*"))


INCLUDES = ", ".join(f'"{name}"' for name in PROFILE.includes)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "flags",
    [
        "-c",
        "-g0 -O2 -c",
        "-g1 -gz -c",
        "-g -gsplit-dwarf -c -o core.o",
        "-Wall -Wextra -Wpedantic -Werror -c -MMD -MP -MF deps/core.d -MT core.o -o core.o",
        "-Wp,-MD,deps/core.d -std=c99 -pedantic-errors -o core.o -c",
    ],
)
def test_the_command_of_the_core_compiles_the_probe(
    tmp_path: Path, compiler: str, flags: str
) -> None:
    """Whatever else it says or writes, and nothing is left behind in the tree."""
    folder = tmp_path / "tree"
    (tmp_path / "tmp").mkdir()
    core = folder / PROFILE.core_source
    core.parent.mkdir(parents=True)
    core.write_text("#error this is not to be compiled\n")
    for name in PROFILE.includes:
        header = folder / "include" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text("")
    (folder / "include" / PROFILE.includes[0]).write_text(HEADERS + STRUCTURES)
    exe = shutil.which(compiler)
    assert exe is not None
    argv = (compiler, "-I../../../../include", *flags.split(), core.name)
    run = Run(exe, str(core.parent), argv, tuple(f"{k}={v}" for k, v in os.environ.items()))
    before = sorted(folder.rglob("*"))
    told = ask(PROFILE, run, folder, (), Cache(tmp_path / "cache"), 60)
    assert told.constants["STACK_SIZE"] == 4096
    assert told.layouts.sizes == {"struct evtchn": 8, "struct domain": 32}
    assert told.layouts.enumerators == {"FIX_XEN_SHARED_INFO": 9}
    assert sorted(folder.rglob("*")) == before
    assert not list((tmp_path / "tmp").iterdir())


WITHOUT = "no debug information, so no structure is known"


def without_debug_information(sample: Path) -> None:
    git(sample, "checkout", "-q", "-B", "plain", "good")
    makefile = sample / "Makefile"
    makefile.write_text(makefile.read_text().replace("-O2 -g -m64", "-O2 -m64"))
    git(sample, "commit", "-q", "-a", "-m", "no debug information")


@pytest.mark.parametrize("compiler", SLOWLY)
def test_a_tree_built_without_debug_information(sample: Path, compiler: str) -> None:
    """What its core is made of, the probe alone knows: every field that the core reads is asked for."""
    without_debug_information(sample)
    (told,) = prove(sample, fast=True, commits="plain~..plain", compiler=compiler)
    assert told.verdicts[1].state is State.PASSED, told.verdicts[1].data
    assert told.verdicts[1].how == (
        "struct cpu_info, struct domain, struct evtchn, struct shared_info, struct vcpu: "
        "layout from the probe"
    )


@pytest.mark.torture  # three builds of the sample, each with all that its core is asked
def test_debug_information_and_a_probe_say_the_same(sample: Path) -> None:
    without_debug_information(sample)
    (unknown,) = prove(sample, fast=False, commits="plain~..plain")
    assert unknown.verdicts[1].state is State.CANNOT_TELL
    assert unknown.verdicts[1].summary.startswith(WITHOUT)
    (told,) = prove(sample, fast=True, commits="plain~..plain")
    described = prove(sample, fast=True, commits="good~..good")[0].verdicts[1]
    assert (described.state, described.how) == (State.PASSED, "")
    assert described.summary == told.verdicts[1].summary


HEADERS = "#define STACK_SIZE 4096\n#define FIXADDR_TOP 0xffff82cffffff000UL\n#define ECS_FREE 0\n"


def test_what_the_tree_lacks_is_not_answered() -> None:
    source = "".join(
        line for line in probe_source(PROFILE).splitlines(True) if not line.startswith("#include")
    )
    told = read_probe(
        compile_source(HEADERS + "enum { ECS_IPI = 9 };\n" + source), PROFILE
    ).constants
    assert told == {"STACK_SIZE": 4096, "FIXADDR_TOP": 0xFFFF82CFFFFFF000, "ECS_FREE": 0}
    assert differences(PROFILE, told) == (
        "STACK_SIZE is 0x1000 in this tree (0x8000 in the profile)",
    )
    instead = load_profile("xen-pv-shim-4.10", told)
    assert instead.constant("STACK_SIZE") == 4096
    assert instead.digest != PROFILE.digest
    assert load_profile("xen-pv-shim-4.10", {}).digest == PROFILE.digest


STRUCTURES = """
struct evtchn { unsigned char state; unsigned short notify_vcpu_id; unsigned int port; };
struct shared_info;
struct domain { struct { char other, is_32bit_pv; } arch; struct evtchn *evtchn_group[3]; };
enum fixed_addresses { FIX_HOLE, FIX_XEN_SHARED_INFO = 9 };
"""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_types_are_described_by_pointing_to_them(compiler: str) -> None:
    """One that the tree lacks is no error, and does not keep the others from being told."""
    source = "".join(
        line for line in probe_source(PROFILE).splitlines(True) if not line.startswith("#include")
    )
    flags = ("-O2", "-g", "-Wall", "-Wextra", "-Werror")
    told = read_probe(compile_source(STRUCTURES + source, ".c", flags, compiler), PROFILE).layouts
    assert told.sizes == {"struct evtchn": 8, "struct domain": 32}
    assert told.fields["struct domain"] == {
        "evtchn_group[0]": Field(8, 8),
        "arch.is_32bit_pv": Field(1, 1),
    }
    assert told.fields["struct evtchn"]["port"] == Field(4, 4)
    assert told.enumerators == {"FIX_XEN_SHARED_INFO": 9}


def test_types_that_cannot_be_read_leave_the_constants() -> None:
    source = HEADERS + "const char backport_probe_[] = { 1 };\n"
    source += "const unsigned long long backport_probe_STACK_SIZE = STACK_SIZE;\n"
    probe = bytearray(compile_source(source))
    section = parse_elf(bytes(probe)).section(".debug_abbrev")
    assert section is not None
    start = bytes(probe).index(bytes(section.data))
    probe[start : start + section.size] = b"\xff" * section.size
    assert read_probe(bytes(probe), PROFILE) == Answers({"STACK_SIZE": 4096}, Described())


def test_layouts_are_part_of_a_profile_s_digest() -> None:
    one, other = (Described({"struct domain": size}, {"struct domain": {}}) for size in (8, 16))
    digests = {PROFILE.digest, *(with_layouts(PROFILE, x).digest for x in (one, other, other))}
    assert len(digests) == 3
    assert with_layouts(PROFILE, Described()) is PROFILE


def test_all_that_a_core_is_asked_for_is_asked_of_the_probe(sample: Path) -> None:
    """Whoever reads another field has to add it to emu/object/structures.py."""
    asked: set[tuple[str, str]] = set()
    field = Layout.field

    def noted(self: Layout, type_name: str, path: str) -> Field:
        asked.add((type_name, path))
        return field(self, type_name, path)

    repo = open_repo(sample)
    with Prover(repo, options.settings_of(repo, None, validate="object")) as prover:
        builder = prover._builder
        assert builder is not None
        builder.build(Oid(git(sample, "rev-parse", "other").strip()))
        core = (builder.folder / PROFILE.core_object).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layout, "field", noted)
        emulate_object(core, PROFILE, depth="scenarios")
    known = {(name, path) for name, paths in asked_of(PROFILE).items() for path in paths}
    assert asked <= known
    assert len(asked) > 20


def test_an_object_that_is_no_probe() -> None:
    with pytest.raises(ElfError, match="not a probe"):
        read_probe(compile_source("int x = 1;\n"), PROFILE)


@pytest.mark.parametrize("size", [3, 64, 200, 700])
def test_a_probe_that_is_cut_short(size: int) -> None:
    whole = compile_source("const char backport_probe_[] = { 1 };\n")
    with pytest.raises(ElfError):
        read_probe(whole[:size], PROFILE)


def test_a_probe_whose_answer_is_not_in_its_bytes() -> None:
    """Too short, only declared, or not yet given a place by the linker."""
    marker = "const char backport_probe_[] = { 1 };\n"
    for line in (
        "const short backport_probe_STACK_SIZE = 7;",
        "extern const long backport_probe_STACK_SIZE; const void *p = &backport_probe_STACK_SIZE;",
        "__attribute__((common)) long backport_probe_STACK_SIZE;",
    ):
        with pytest.raises(ElfError, match="backport_probe_STACK_SIZE"):
            read_probe(compile_source(marker + line + "\n"), PROFILE)


@pytest.mark.parametrize("name", ["fixed addresses", "x;", "struct x *", "", "é"])
def test_enumerations_of_a_profile_are_plain_names(tmp_path: Path, name: str) -> None:
    text = (ROOT / "emu/profiles/xen-pv-shim-4.10.toml").read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace('enums = ["fixed_addresses"]', f'enums = ["{name}"]'))
    with pytest.raises(ProfileError, match=r"probe\.enums"):
        load_profile(str(wrong))


@pytest.mark.parametrize("name", ["<xen/sched.h>", 'a"b.h', "a\\nb.h", ""])
def test_headers_of_a_profile_are_plain_names(tmp_path: Path, name: str) -> None:
    text = (ROOT / "emu/profiles/xen-pv-shim-4.10.toml").read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace(INCLUDES, f"'{name}'"))
    if "\\n" in name:
        wrong.write_text(text.replace(INCLUDES, f'"{name}"'))
    with pytest.raises(ProfileError, match=r"probe\.includes"):
        load_profile(str(wrong))


def test_a_probe_of_the_user(tmp_path: Path) -> None:
    """What is printed compiles, and what is handed in counts."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["emulate", *words])

    printed = run("--print-probe")
    assert printed.exit_code == 0
    source = "".join(x for x in printed.output.splitlines(True) if not x.startswith("#include"))
    probe, core = tmp_path / "probe.o", tmp_path / "core.o"
    probe.write_bytes(compile_source("#define STACK_SIZE 12345\n" + source))
    core.write_bytes(compile_source("int pv_shim_event_channel_op(void) { return 0; }\n"))
    done = run(str(core), "--probe", str(probe))
    assert (
        "STACK_SIZE is 0x3039 in this tree (0x8000 in the profile): using the tree's" in done.output
    )
    assert "STACK_SIZE 0x3039 is not a power of two" in done.output
    core.write_bytes(
        compile_source("int pv_shim_event_channel_op(void) { return 0; }\n", ".c", ("-O2",))
    )
    probe.write_bytes(compile_source(STRUCTURES + source))
    done = run(str(core), "--probe", str(probe))
    assert "struct domain, struct evtchn: layout from the probe" in done.output
    assert "no debug information" in run(str(core)).output
    done = run(str(core), "--probe", str(core))
    assert done.exit_code == 2
    assert "not a probe" in done.output
    done = run(str(core), "--probe", str(tmp_path / "none.o"))
    assert done.exit_code == 2
    assert "No such file" in done.output
