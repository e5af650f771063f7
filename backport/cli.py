# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: names the commands, and turns errors into a message and an exit code.

Everything heavy is imported by the command that needs it; `backport --help` costs little more than
a bare Typer program.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import typer

from backport import interrupts
from backport.commands.parsing import LazyGroup


class _Group(LazyGroup):
    """Translates errors once, here, so that a test runner sees the same codes as a shell."""

    panels: ClassVar = {
        "Put a series on a branch": {
            "plan": "plan:plan",
            "graph": "graph:graph",
            "apply": "apply:apply",
            "status": "status:status",
            "continue": "going_on:continue_",
            "skip": "going_on:skip",
            "abort": "going_on:abort",
            "undo": "undo:undo",
        },
        "Prove, and find what broke": {
            "check": "check:check",
            "hook": "hook:app",
            "bisect": "bisect:bisect",
            "mend": "mend:mend",
            "emulate": "emulate:emulate",
            "behaviour": "behaviour:behaviour",
        },
        "Know what a branch has": {
            "deps": "deps:deps",
            "owed": "owed:owed",
            "provenance": "provenance:provenance",
            "index": "indexing:index",
            "backtest": "backtest:backtest",
        },
        "Hand it over": {
            "report": "report:report",
            "show": "show:show",
            "export": "export:export",
            "refresh": "refresh:refresh",
            "release": "release:release",
        },
        "Set up": {
            "config": "config:config",
            "sample": "sample:sample",
        },
    }

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(_interrupted(ctx.invoked_subcommand)) from None
        except Exception as error:
            code = _translate(error)
            if code is None:
                raise
            raise typer.Exit(code) from error


app = typer.Typer(
    name="backport",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Assemble a patch series onto a stable branch and prove every step.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as of

        from backport.distribution import DISTRIBUTION

        print(f"backport {of(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_version
    ),
) -> None:
    """Options of the program itself."""


def main() -> None:
    """The entry point of ``backport`` and ``git-backport``."""
    try:
        app()
    except Exception as error:
        if interrupts.came():
            sys.exit(_interrupted(None))
        _bug(error)


def _interrupted(verb: str | None) -> int:
    """Say what an interrupt leaves; what waits to be continued says so itself (`errors.Interrupted`)."""
    from backport.errors import ExitCode

    proves = verb in ("check", "bisect", "behaviour")
    kept = ", and of a range what was proven up to the last audit is kept" if proves else ""
    _say(f"interrupted; nothing was changed{kept}")
    return int(ExitCode.INTERRUPTED)


def _translate(error: Exception) -> int | None:
    """Say an expected error and give its exit code; None for what nobody expected."""
    from backport.errors import BackportError, ExitCode, Interrupted

    if interrupts.came() and not isinstance(error, Interrupted):
        # git and others in the foreground are interrupted with us: that is no failure.
        return _interrupted(None)
    if isinstance(error, BackportError):
        _say(error.message, error.hint)
        return int(error.exit_code)
    expected = {"series.errors": "SeriesError", "emu.errors": "EmuError"}
    for module, name in expected.items():
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            _say(str(error))
            return int(ExitCode.USAGE)
    if "pygit2" in sys.modules and isinstance(error, sys.modules["pygit2"].GitError):
        _say(f"the repository cannot be read: {error}", "`git fsck` says more")
        return int(ExitCode.USAGE)
    if isinstance(error, MemoryError):
        _say("there is not enough memory", "see `ulimit -v`; nothing was moved")
        return int(ExitCode.USAGE)
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return int(ExitCode.DONE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        _say(f"{where}{error.strerror or error}")
        return int(ExitCode.USAGE)
    return None


def _say(message: str, hint: str = "") -> None:
    from backport.report.page import coloured, fold, page_width

    # The reasons are paragraphs; what went wrong is one line, however long, where programs read it.
    width, live = page_width(sys.stderr), sys.stderr.isatty()
    first, *reasons = message.split("\n")
    first = fold(first, width - len("backport: ")) if live else first
    message = "\n".join((first, *(fold(line, width) for line in reasons)))
    red, dim, off = ("\033[1;31m", "\033[2m", "\033[0m") if coloured(sys.stderr) else ("", "", "")
    print(f"{red}backport: {off}{message}", file=sys.stderr)
    if hint:
        print(f"{dim}{fold(f'  {hint}', width)}{off}", file=sys.stderr)


def _bug(error: Exception) -> None:
    import os
    import tempfile
    import traceback

    from backport.distribution import version_lines
    from backport.errors import ExitCode

    handle, name = tempfile.mkstemp(prefix="backport-", suffix=".log", text=True)
    with os.fdopen(handle, "w") as log:
        log.writelines(f"{line}\n" for line in version_lines())
        log.write(f"{sys.argv}\n\n")
        traceback.print_exception(error, file=log)
    _say(
        f"internal error: {type(error).__name__}: {error}",
        f"please report this with the log in {name}",
    )
    sys.exit(int(ExitCode.BUG))
