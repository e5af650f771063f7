# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that a core hands back to L0 and takes again: whose each frame is, at each return."""

from __future__ import annotations

import pytest

from emu.findings.verdict import ObjectReport, Outcome
from emu.object import emulate_object
from emu.object.probe import probe_source, read_probe
from emu.profile import with_layouts
from tests.emu import mini
from tests.emu.build import compile_source
from tests.emu.object.test_lying_probe import BARE, FIXED, PROFILE

BALLOON = r"""
struct page_info { u64 list, count; u32 order, pad; u64 owner; };
struct xen_memory_reservation { u64 *start, nr; u32 order, flags; u16 domid; };
#define TABLE ((struct page_info *)0xffff82e000000000ul)

struct page_info *alloc_domheap_pages(struct domain *d, u32 order, u32 flags);
void free_domheap_pages(struct page_info *page, u32 order);

static struct page_info *balloon[256];
static u32 nr_balloon;

static u32 ask(u32 cmd, u32 order, struct page_info **pages, u32 nr)
{
    u64 frames[64];
    struct xen_memory_reservation op = { .start = frames, .order = order, .domid = 0x7ff0 };
    u32 done = 0;

    while ( done < nr )
    {
        long rc;

        for ( op.nr = 0; op.nr < 64 && done + op.nr < nr; op.nr++ )
            frames[op.nr] = pages[done + op.nr] - TABLE;
        rc = memory_op(cmd, &op);
        done += rc > 0 ? rc : 0;
        if ( rc != (long)op.nr )
            break;
    }
    return done;
}

void pv_shim_offline_memory(u32 nr, u32 order)
{
    struct page_info *page;
    u32 first = nr_balloon, n = 0;

    while ( n < nr && (page = alloc_domheap_pages(0, order, 0)) )
    {
        page->order = order;
        balloon[first + n++] = page;
    }
    nr_balloon += ask(1, order, &balloon[first], n);
    for ( u32 i = nr_balloon; i < first + n; i++ )
        free_domheap_pages(balloon[i], order);
}

void pv_shim_online_memory(u32 nr, u32 order)
{
    struct page_info *chosen[256];
    u32 n = 0, kept = 0, done;

    for ( u32 i = 0; i < nr_balloon; i++ )
        if ( n < nr && balloon[i]->order == order )
            chosen[n++] = balloon[i];
        else
            balloon[kept++] = balloon[i];
    nr_balloon = kept;
    done = ask(6, order, chosen, n);
    for ( u32 i = 0; i < done; i++ )
        free_domheap_pages(chosen[i], order);
    for ( u32 i = done; i < n; i++ )
        balloon[nr_balloon++] = chosen[i];
}
"""
_BATCH = """            frames[op.nr] = pages[done + op.nr] - TABLE;
        rc = memory_op(cmd, &op);
        done += rc > 0 ? rc : 0;
        if ( rc != (long)op.nr )
            break;
"""
GOES_ON = (
    _BATCH,
    """            frames[op.nr] = pages[done + op.nr] - TABLE;
        rc = memory_op(cmd, &op);
        done += rc > 0 ? rc : 0;
        pages += op.nr - rc, nr -= op.nr - rc;
""",
)
"""Behind a batch of which L0 has done a part, the next begins as if it had done all of it."""
AGAIN = (
    "        if ( rc != (long)op.nr )\n            break;",
    "        if ( rc <= 0 )\n            break;",
)
"""What L0 has not done is asked for once more, in the same call."""
PLAIN = "    for ( u32 i = 0; i < done; i++ )"


def report(*changes: tuple[str, str], only: str) -> ObjectReport:
    text = BALLOON
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    core = compile_source(mini.source() + text)
    return emulate_object(core, mini.profile(), depth="explore", only=only)


SCENARIOS = [s.name for s in PROFILE.scenarios if s.entry in ("offline_memory", "online_memory")]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_core_that_does_it(scenario: str) -> None:
    """Also where the heap has no page and L0 refuses: neither function returns anything to report it by."""
    found = report(only=scenario)
    assert (found.outcome, found.findings) == (Outcome.PASSED, ())


@pytest.mark.parametrize(
    ("only", "change", "said"),
    [
        (
            "offline_memory",
            ("        free_domheap_pages(balloon[i], order);\n}", "        (void)order;\n}"),
            "frame 0x4007000 is taken from the heap, and neither the heap nor L0 has it"
            " (when L0 XENMEM_decrease_reservation fails)",
        ),
        (
            "offline_memory",
            ("u32 i = nr_balloon; i", "u32 i = first; i"),
            "the heap is given frame 0x4007000, which L0 has taken away",
        ),
        (
            "offline_memory",
            ("        done += rc > 0 ? rc : 0;", "        done += rc > 0 ? (long)op.nr : 0;"),
            "frame 0x4007001 is taken from the heap, and neither the heap nor L0 has it"
            " (when L0 XENMEM_decrease_reservation, in part, fails)",
        ),
        (
            "online_memory of larger extents",
            (
                "u32 order, pad; u64 owner; };",
                "union { u32 order; union { struct { u32 _domain; } inuse; } v; }; u64 owner; };",
            ),
            "the heap is given frame 0x4007003 with 0x2 where its owner stands",
        ),
        (
            "online_memory",
            (
                "    nr_balloon = kept;\n",
                "    _spin_lock(&grant_lock);\n    nr_balloon = kept;\n    _spin_unlock(&grant_lock);\n",
            ),
            "a variable that is written under grant_lock is written without it, too",
        ),
        (
            "online_memory",
            (PLAIN, "    for ( u32 i = 0; i < n; i++ )"),
            "the heap is given frame 0x4007000, which L0 has taken away"
            " (when L0 XENMEM_populate_physmap fails)",
        ),
        (
            "online_memory",
            (f"{PLAIN}\n        free_domheap_pages(chosen[i], order);\n", ""),
            "frame 0x4007000 is taken from the heap, and neither the heap nor L0 has it",
        ),
        (
            "offline_memory of more than a batch",
            ("        if ( rc != (long)op.nr )\n            break;", "        break;"),
            "free_domheap_pages is called",
        ),
        (
            "offline_memory of more than a batch in part",
            GOES_ON,
            "the heap is given frame 0x4007040, which L0 has taken away",
        ),
        (
            "online_memory of more than a batch in part",
            GOES_ON,
            "the heap is given frame 0x4007020, which L0 has taken away",
        ),
        (
            "online_memory of all there is",
            ("        balloon[nr_balloon++] = chosen[i];\n}", "        ;\n}"),
            "asked again, when nothing fails, L0 is asked for 0, and has left 2 undone"
            " (when L0 XENMEM_populate_physmap, in part, fails)",
        ),
        (
            "online_memory after all of more than a batch",
            ("        if ( rc != (long)op.nr )", "        if ( cmd == 6 || rc != (long)op.nr )"),
            "XENMEM_populate_physmap",
        ),
        (
            "online_memory of the rest of a size",
            (
                "            balloon[kept++] = balloon[i];",
                "            balloon[kept] = balloon[i];",
            ),
            "L0 is not asked for XENMEM_populate_physmap",
        ),
        (
            "online_memory of the others between",
            ("n < nr && balloon[i]->order == order", "n < nr && (order || i < 4)"),
            "the heap is given",
        ),
        (
            "online_memory of more than there is of a size",
            (PLAIN, "    for ( u32 i = 0; i < nr; i++ )"),
            "the heap is given",
        ),
        (
            "online_memory of larger extents",
            ("done = ask(6, order, chosen, n);", "done = ask(6, 0, chosen, n);"),
            "the heap is given frame",
        ),
        (
            "online_memory of a size that is not offline",
            ("if ( n < nr && balloon[i]->order == order )", "if ( n < nr )"),
            "L0 is called: XENMEM_populate_physmap",
        ),
        (
            "online_memory of nothing",
            ("if ( n < nr && balloon", "if ( n <= nr - 1 && balloon"),
            "L0 is called: XENMEM_populate_physmap",
        ),
        (
            "offline_memory",
            ("pages[done + op.nr] - TABLE;", "(u16)(pages[done + op.nr] - TABLE);"),
            "neither the heap nor L0 has it",
        ),
        (
            "offline_memory of nothing",
            ("while ( n < nr && (page", "while ( n <= nr - 1 && (page"),
            "L0 is called: XENMEM_decrease_reservation",
        ),
    ],
)
def test_a_core_that_does_it_wrongly(only: str, change: tuple[str, str], said: str) -> None:
    messages = [finding.message for finding in report(change, only=only).findings]
    assert any(said in message for message in messages), messages


def test_the_size_of_a_batch_is_the_core_s_own_affair() -> None:
    smaller = ("op.nr < 64", "op.nr < 9")
    for only in ("offline_memory of more than a batch", "online_memory of more than a batch"):
        assert report(smaller, only=only).outcome is Outcome.PASSED


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_core_that_asks_for_the_rest_at_once(scenario: str) -> None:
    assert report(AGAIN, only=scenario).findings == ()


def test_what_is_asked_again_is_not_shown_as_asked_at_first() -> None:
    found = report(only="online_memory of more than a batch in part").results[0]
    assert [call.result for call in found.l0_calls] == [32]


def test_an_address_that_is_no_page() -> None:
    wrong = (
        "free_domheap_pages(chosen[i], order);\n    for",
        "free_domheap_pages(TABLE, 0);\n    for",
    )
    (finding,) = report(wrong, only="online_memory").findings[:1]
    assert (finding.invariant, finding.message) == (
        "memory",
        "the heap is given 0xffff82e000000000, which is none of its pages",
    )


def test_a_frame_table_that_may_be_elsewhere() -> None:
    """A tree for more memory has a larger structure and its table elsewhere, and nothing says where."""
    larger = ("u64 owner; };\nstruct xen_memory", "u64 owner, more; };\nstruct xen_memory")
    found = report(larger, only="offline_memory")
    assert (found.outcome, found.findings) == (Outcome.CANNOT_TELL, ())
    assert found.results[0].note.startswith("the frame table of this tree is not known")


OWNED = (
    "u32 order, pad;",
    "union { u32 order; union { struct { u32 _domain; } inuse; } v; }; u32 pad;",
)
"""The order stands where a page's owner does, as in Xen."""


@pytest.mark.parametrize(
    ("page", "only", "said"),
    [
        (
            ("u32 order, pad;", "union { struct { u32 order; } free; } v; u32 pad;"),
            "online_memory",
            [],
        ),
        (
            OWNED,
            "online_memory of larger extents",
            ["the heap is given frame 0x4007003 with 0x2 where its owner stands"],
        ),
    ],
)
def test_a_core_without_debug_information(
    page: tuple[str, str], only: str, said: list[str]
) -> None:
    """The probe is asked for the structure of a page, and for its owner."""
    probe = "\n".join(
        line for line in probe_source(PROFILE).splitlines() if not line.startswith("#include")
    )
    types = mini.source(FIXED).partition("u32 copy_from_user(")[0]
    struct = BALLOON.strip().partition("\n")[0].replace("u64 list, count", "u64 list, count_info")
    answers = read_probe(compile_source(f"{types}\n{struct.replace(*page)}\n{probe}"), PROFILE)
    core = compile_source(mini.source() + BALLOON, flags=BARE)
    found = emulate_object(core, with_layouts(PROFILE, answers.layouts), only=only)
    assert [finding.message for finding in found.findings][:1] == said
