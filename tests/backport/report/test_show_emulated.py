# SPDX-License-Identifier: GPL-2.0-or-later
"""One object's report as a person sees it: what nothing reached, shortly or in full."""

from __future__ import annotations

import pytest

from backport.report.emulated import show_report
from backport.validate.emulation import judge_object
from tests.emu import mini


@pytest.mark.parametrize("unreached", [False, True])
def test_lines_that_nothing_reached(capsys: pytest.CaptureFixture[str], unreached: bool) -> None:
    report = mini.report(only="send/64")
    show_report(report, judge_object(report), "core.o", unreached=unreached)
    said = capsys.readouterr().out
    (told,) = [line for line in said.splitlines() if "pv_shim_event_channel_op: " in line]
    coverage = {part.function: part for part in report.coverage}
    missed = coverage["pv_shim_event_channel_op"].missed
    lines = sorted(int(place.removeprefix("core.c:")) for place in missed)
    shown = lines if unreached else lines[:6]
    more = "" if unreached else f" and {len(lines) - 6} more"
    assert told.endswith(f"; not core.c:{','.join(map(str, shown))}{more}")
    assert "never ran: pv_shim_grant_table_op" in said
