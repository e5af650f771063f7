# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: the built-in one loads, and each mistake is named with its file and key."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from emu.errors import ProfileError
from emu.profile import builtin_profiles, load_profile, parse_profile

SMALL = """\
format = 1
name = "small"
[core]
object = "a.o"
source = "a.c"
[constants]
STACK_SIZE = 0x8000
ECS_FREE = 0
[entries.op]
symbols = ["f"]
[externs]
copy_from_user = "copy_from_user"
[[scenario]]
name = "one"
entry = "op"
operation = "EVTCHNOP_send"
fields = { port = 3 }
result = 0
"""


def small(old: str = "", new: str = "") -> bytes:
    assert old in SMALL
    return SMALL.replace(old, new, 1).encode()


def test_builtin() -> None:
    assert "xen-pv-shim-4.10" in builtin_profiles()
    profile = load_profile("xen-pv-shim-4.10")
    text = resources.files("emu").joinpath("profiles", "xen-pv-shim-4.10.toml").read_bytes()
    assert profile.digest == hashlib.sha256(text).hexdigest()
    assert profile.core_object == "xen/arch/x86/pv/shim.o"
    assert profile.core_source == "xen/arch/x86/pv/shim.c"


def test_every_event_channel_operation_has_a_scenario() -> None:
    from emu.abi import OPERATIONS

    operations = {scenario.operation for scenario in load_profile("xen-pv-shim-4.10").scenarios}
    assert set(OPERATIONS["event_channel_op"]) <= operations


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(small())
    assert load_profile(str(path)).name == "small"


def test_missing_file_names_the_built_in_ones() -> None:
    with pytest.raises(ProfileError, match=r"xen-pv-shim-4\.10"):
        load_profile("no-such-profile")


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("format = 1", "format = 2", "format", "this version reads 1"),
        ("format = 1", "", "format", "is missing"),
        ('name = "small"', "name = 3", "name", "expected a string"),
        ('name = "small"', 'name = "small"\ntypo = 1', "typo", "unknown key"),
        ('object = "a.o"', "", "core.object", "is missing"),
        ("0x8000", '"big"', "constants.STACK_SIZE", "expected a number"),
        ("0x8000", "true", "constants.STACK_SIZE", "expected a number"),
        ('symbols = ["f"]', "", "entries.op.symbols", "at least one symbol"),
        (
            'symbols = ["f"]',
            'symbols = ["f"]\nreturns = "short"',
            "entries.op.returns",
            "long, int, bool or void",
        ),
        (
            'symbols = ["f"]',
            'symbols = ["f"]\nrefusals = ["-E"]',
            "entries.op.refusals",
            "unknown error",
        ),
        ('name = "one"', 'name = "a/b"', "scenario[a/b].name", "letters"),
        ('entry = "op"', 'entry = "nop"', "scenario[one].entry", "no entry 'nop'"),
        ("port = 3", "prot = 3", "scenario[one].fields.prot", "struct evtchn_send has: port"),
        ("port = 3", 'port = "three"', "scenario[one].fields.port", "nor a known name"),
        ("result = 0", 'result = "-EWHAT"', "scenario[one].result", "nor a known name"),
        ("result = 0", "repeat = 0", "scenario[one].repeat", "1 to 64"),
        (
            "result = 0",
            "l0 = { first_port = 131073 }",
            "scenario[one].l0.first_port",
            "0 to 131072",
        ),
        ("result = 0", "l0 = { domid = 32752 }", "scenario[one].l0.domid", "0 to 32751"),
        ("result = 0", "l0 = { vcpus = 0 }", "scenario[one].l0.vcpus", "1 to 8192"),
        ("result = 0", "l0 = { suspend = 2 }", "scenario[one].l0.suspend", "0 to 1"),
        (
            "result = 0",
            "l0 = { max_grant_frames = -1 }",
            "scenario[one].l0.max_grant_frames",
            "0 to 8388608",
        ),
        ("result = 0", 'modes = ["16"]', "scenario[one].modes", "at least one"),
        ("result = 0", "silent = 1", "scenario[one].silent", "true or false"),
        (
            "result = 0",
            'expect = [{ op = "EVTCHNOP_send", dom = 1 }]',
            "scenario[one].expect[0].dom",
            "no such",
        ),
        (
            "result = 0",
            'ports = [{ number = 1, state = "odd" }]',
            "scenario[one].ports[0].state",
            "ECS_ODD",
        ),
        ("result = 0", 'surprise = "yes"', "scenario[one].surprise", "unknown key"),
        ("result = 0", "l0 = { port = 1 }", "scenario[one].l0.port", "unknown key"),
        (
            "result = 0",
            "l0 = { resumed = { VIRQ_DEBUG = 1 } }",
            "scenario[one].l0.resumed.VIRQ_DEBUG",
            "no such parameter",
        ),
        (
            "result = 0",
            'state = { "vcpu.pause_flags" = 1 }',
            "scenario[one].state.vcpu.pause_flags",
            "domain., cpu., vcpuN. or evtchnN.",
        ),
        (
            "result = 0",
            'leaves = { "domain.x" = "y" }',
            "scenario[one].leaves.domain.x",
            "'y' is neither a number",
        ),
        ("result = 0", "start_info = { pages = 1 }", "scenario[one].start_info.pages", "nr_pages"),
        ("result = 0", 'before = ["two"]', "scenario[one].before", "no scenario 'two' above"),
        ("result = 0", "frames = 1", "scenario[one].frames", "fields.frame_list"),
        ("result = 0", "frames = 513", "scenario[one].frames", "0 to 512"),
        ("result = 0", "first_page = 0x10000000000000", "scenario[one].first_page", "52 bits"),
        ("result = 0", 'buffer = "error"', "scenario[one].buffer", "'error' is neither a number"),
        (
            'symbols = ["f"]',
            'symbols = ["f"]\narguments = ["operation", 1.5]',
            "entries.op.arguments",
            "1.5 is neither a number",
        ),
        (
            "[[scenario]]",
            '[regions.r]\ntop = 1\nenumerator = "E"\n[[scenario]]',
            "regions.r.top",
            "0x1 is not where a page may begin",
        ),
        ("result = 0", "explore = 1", "scenario[one].explore", "true or false"),
        ("[[scenario]]", "[world]\nvcpus = 99\n[[scenario]]", "world.vcpus", "1 to 8"),
        (
            "[[scenario]]",
            "[world]\nmax_evtchns = 4294967296\n[[scenario]]",
            "world.max_evtchns",
            "1 to 131072",
        ),
        (
            "[[scenario]]",
            "[world]\ndomain_id = -1\n[[scenario]]",
            "world.domain_id",
            "0 to 32751",
        ),
        (
            "[[scenario]]",
            '[boot]\n[[boot.variant]]\nname = "v"\nhole = [60, 5]\n[[scenario]]',
            "boot.variant[v].hole",
            "within the 64 MiB",
        ),
        (
            "[[scenario]]",
            '[regions.r]\ntop = "TOP"\nenumerator = "E"\n[[scenario]]',
            "regions.r.top",
            "TOP",
        ),
    ],
)
def test_mistakes_are_named(old: str, new: str, key: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(small(old, new), "own.toml")
    assert caught.value.where == f"own.toml: {key}"
    assert words in str(caught.value)


@pytest.mark.parametrize("text", [b"format = ", b"\xff\xfe", b"[" * 5000])
def test_not_toml(text: bytes) -> None:
    with pytest.raises(ProfileError, match="TOML"):
        parse_profile(text, "own.toml")


def test_two_scenarios_of_one_name() -> None:
    again = SMALL[SMALL.index("[[scenario]]") :]
    with pytest.raises(ProfileError, match="another scenario of that name"):
        parse_profile((SMALL + again).encode(), "own.toml")


def test_missing_constant_is_named() -> None:
    profile = parse_profile(small(), "own.toml")
    with pytest.raises(ProfileError, match=r"own.toml: constants\.ECS_VIRQ"):
        profile.constant("ECS_VIRQ")
