# SPDX-License-Identifier: GPL-2.0-or-later
"""Fast steps: watch the user's build once, then run just the commands whose inputs changed.

A tree's own incremental make of a hypervisor spends most of its time finding out that there is
nothing to do, and knows only the dependencies that its makefiles name.  Here the build is watched at
the system calls (`watch.c`), so what each command read, looked for in vain and wrote is known.

    watch.py          compiles the watcher (watch.c), runs under it, reads its log
    places.py         paths as processes named them -> paths in the worktree
    outside_paths.py  what of them lies outside, and its state
    units.py          which processes decide what is run, and what each of them started
    twins.py          files with two names
    depfiles.py       lists of headers that a make includes
    listing_order.py  whether a folder shows names in the order in which they were made
    change_times.py   programs that go by when a file was last changed
    written_again.py  paths that two parts write one after the other, with a make that reads in between
    unsure.py         why a command may not be run on its own
    derive.py         a log -> commands, and what was looked at to decide on them
    recording.py      those as frozen values
    storage.py        the file in ``.git/backport/record/`` that keeps them
    decide.py         a step's changed paths -> the commands to run, or why that is not sure
    rerun.py          runs them in order, and watches again
    contents.py       what the outputs hold: whether one is another than before
    replay.py         the collaborator of `backport.builds.step_build`

The words: a *driver* is a process that decides what is run (make, every shell above one, and what the
build began with); a *command* is what a driver starts, with everything below it, so shell wrappers,
generators and other builders (ninja) need no special knowledge.  Commands that write the same path (a
temporary file that one recipe line makes and another removes) are one command of several runs.  What
writes nothing, or answers its driver through a pipe, is part of the driver.

The rule: a process that looked at a path in any way depends on all of it (type, mode, content, a link's
target, a folder's names, or that nothing is there), in the tree and outside. A changed input of a command
means that it runs again, from the state in which it was recorded: its outputs are removed first, what it
listed is there, what others made later is put aside while it runs alone, and so are folders that it makes,
with what is in them; what it wrote over holds again what it did. A changed input of a driver, an input
outside, or something that could not be followed, means a full build from a clean worktree. There are two
exceptions. GNU make only checks whether a file exists and which of two is newer, and in a clean build the
tree's files have one date; access(2) tells no more than that a file is there, unless it asks whether it may
be executed. Where nothing is at a path, what counts is also by which error that is known, and for who would
make something there which folder is missing; a path that a command makes and removes again is one where
nothing is, in a folder that is there. A command that sends a signal to another, or gets one, is not run on
its own. Where it is not known what a process looked at (a path through /proc/PID/cwd, a program for another
processor, a FIFO, a lock that was taken, a file written through a second name), no step is built from the
recording. A build that asks whether it is watched (ptrace(2), /proc/PID/status, a listing of /proc) is made
once more without the watcher.

Files of the tree that a command changes or removes stay as it left them, and that command is never run on
its own: `kept_worktree` has check-outs pass over them.

Not modelled is what no program can set again: numbers of processes and inodes, sizes of folders, dates and
numbers of names of folders outside, how old a file is by the clock, and that a folder had an earlier date, or
fewer folders in it, when a command looked at it than at the end of the build.  Change and access times are
seen where a program asks for them in particular, or is made from a text that names them (`change_times`), not
where one from outside of the tree has them of stat(2) with all the rest.

Incremental builds by make or ninja are never trusted: neither notices a header that now hides another.
"""
