# SPDX-License-Identifier: GPL-2.0-or-later
"""``--junit``, ``--sarif``, ``--annotations``, ``--html``, ``--notes``: what is written of steps proven."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer
from msgspec import Struct

from backport.levels import Forge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backport.config import Settings
    from backport.export.owed_list import OwedList
    from backport.export.run_record import RunRecord
    from backport.gateway.repository import Repo


_LINES = "backport.annotations"
"""Where they wait in the context of the command line."""


class Reports(Struct, frozen=True):
    """The files that the user wants besides ``--json``."""

    junit: str | None = None
    sarif: str | None = None
    annotations: Forge | None = None
    html: str | None = None
    notes: bool = False
    owed: tuple[OwedList, ...] = ()
    """What the page shows besides."""

    @property
    def wanted(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.junit or self.sarif or self.annotations or self.html or self.notes)

    def begin(self, ctx: typer.Context) -> None:
        """Raise `UsageError` for a file that cannot be written; from here on GitHub's runner obeys
        nothing that is printed."""
        if not self.wanted:
            return
        from backport.export.annotations import GITLAB_FILE, fence
        from backport.report.out import check_file

        check_file("--junit", self.junit)
        check_file("--sarif", self.sarif)
        check_file("--html", self.html)
        if self.annotations is Forge.GITLAB:
            check_file("--annotations", GITLAB_FILE)
        if self.annotations is Forge.GITHUB:
            stop, resume = fence()
            print(stop, flush=True)
            # Behind everything else that is printed, also the message of an error.
            ctx.find_root().call_on_close(
                lambda: print(resume, *ctx.meta.get(_LINES, ()), sep="\n", flush=True)
            )

    def write(
        self,
        ctx: typer.Context,
        repo: Repo,
        make: Callable[[], RunRecord],
        settings: Settings | None = None,
    ) -> None:
        """Write them; notes only with the ``settings`` that steps were proven by.  Raises `UsageError`."""
        self.write_all(ctx, repo, lambda: [make()])
        if self.notes and settings is not None:
            self.note(repo, make(), settings)

    def note(self, repo: Repo, record: RunRecord, settings: Settings) -> None:
        """Note on each commit of a record how far it is proven."""
        from importlib.metadata import version

        from backport.counted import counted
        from backport.distribution import DISTRIBUTION
        from backport.export.commit_notes import REF, write_notes

        count = write_notes(repo, record, settings, f"backport {version(DISTRIBUTION)}")
        print(f"{REF}: {counted(count, 'commit')} noted", file=sys.stderr)

    def write_all(
        self, ctx: typer.Context, repo: Repo, make: Callable[[], Sequence[RunRecord]]
    ) -> None:
        """The same of several records, all in each document."""
        if not self.wanted:
            return
        from importlib.metadata import version

        from backport.distribution import DISTRIBUTION
        from backport.export.annotations import GITLAB_FILE, to_github, to_gitlab
        from backport.export.junit import to_junit
        from backport.export.sarif import to_sarif
        from backport.export.tree_places import located
        from backport.report.out import write_for

        records = [located(repo, one) for one in make()]
        tool = version(DISTRIBUTION)
        if self.junit:
            write_for("--junit", self.junit, to_junit(records))
        if self.sarif:
            log = json.dumps(to_sarif(records, tool), indent=1)
            write_for("--sarif", self.sarif, f"{log}\n".encode())
        if self.annotations is Forge.GITLAB:
            write_for("--annotations", GITLAB_FILE, to_gitlab(records).encode())
        if self.annotations is Forge.GITHUB:
            ctx.meta[_LINES] = to_github(records).splitlines()
        if self.html:
            import time

            from backport.export.html_page import to_html
            from backport.export.page_data import view

            page = to_html([view(repo, one) for one in records], tool, time.time(), self.owed)
            write_for("--html", self.html, page)
