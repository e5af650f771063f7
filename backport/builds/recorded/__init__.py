# SPDX-License-Identifier: GPL-2.0-or-later
"""Fast steps: watch the user's build once, then run just the commands whose inputs changed.

A tree's own incremental make of a hypervisor spends most of its time finding out that there is
nothing to do, and knows only the dependencies that its makefiles name.  Here the build is watched at
the system calls (`watch.c`), so what each command read, looked for in vain and wrote is known.

    watch.py          compiles the watcher (watch.c), runs under it, reads its log
    places.py         paths as processes named them -> paths in the worktree
    derive.py         a log -> commands, and what the makes and shells above them relied on
    recording.py      those as frozen values
    storage.py        the file in ``.git/backport/record/`` that keeps them
    decide.py         a step's changed paths -> the commands to run, or why that is not sure
    rerun.py          runs them in order, and watches again
    contents.py       what the outputs hold: whether one is another than before
    linker_names.py   what a linker goes by: whether a link may be put off
    incremental.py    an incremental build, believed where it proves itself
    replay.py         the collaborator of `backport.builds.step_build`

The words: a *keeper* is a process that decides what is run (make, and every shell above one); a
*command* is what a keeper starts, with everything below it, so shell wrappers, pipes, generators
and ccache need no special knowledge.  Commands that write the same path (a temporary file that one
recipe line makes and another removes) are one command of several runs.  What writes nothing, or
answers its keeper through a pipe, is part of the keeper.

The rule: a changed input of a command means that it runs again, from the state in which it was
recorded (its outputs are removed first).  A changed input of a keeper, or anything that was not
seen, means the full build.  Objects are never guessed.
"""
