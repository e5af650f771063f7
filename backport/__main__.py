# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry point of ``backport``, ``git-backport`` and ``python -m backport``."""

from __future__ import annotations

import gc
import os
import sys

try:
    from backport import interrupts
except KeyboardInterrupt:  # while that is loaded, Python's own answer is a traceback
    os.write(2, b"backport: interrupted; nothing was changed\n")
    os._exit(130)


def main() -> None:
    """Run the command line; an interrupt is answered from the first import on."""
    # A run makes many values and drops few: to look for garbage at every 700th costs `apply` 8 %, at
    # every 50,000th and once more at the end 15 %, while the modules are loaded 3 % of `status`.
    gc.set_threshold(500_000, 20, 20)
    _open_standard_files()
    interrupts.install()
    try:
        from backport.cli import main as run

        run()
    except KeyboardInterrupt:
        interrupts.say("interrupted; nothing was changed")
    except SystemExit as ended:
        if not (interrupts.came() and ended.code):
            raise
    else:
        return
    finally:
        interrupts.finish()
        gc.freeze()  # nothing is looked through once more for garbage: it all goes in a moment
    # Not by way of Python's own end: an interrupt inside of `exec` makes that end look like a kill.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(interrupts.CODE)


def _open_standard_files() -> None:
    """As git does, open what is closed of standard input, output and error, on /dev/null: a file that the
    run opens would get that number, and what is printed would go there."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


if __name__ == "__main__":
    main()
