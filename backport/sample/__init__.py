# SPDX-License-Identifier: GPL-2.0-or-later
"""The embedded default tree: a small PV-in-PVH shim of our own, and a series that builds it up.

A fresh machine has no Xen repository and perhaps no network; this package writes one to work on.
Everything in the tree was written here from the public Xen ABI (hypercall numbers, register
conventions, structure layouts, ELF notes); no line comes from Xen.  It uses the same names where the
emulation looks for them, so that one profile serves both.

    tree/        the release that both branches start from; ``dot-x`` stands for ``.x``
    stable/      what ``stable-4.10`` has on top of it, as ``git format-patch`` wrote it
    master/      what ``master`` has: among it the prerequisite that the posted series lacks,
                 and patches of the series, some as they were posted and some tidied
    posted/      the series as it was posted, version 2
    variants/    one folder for each thing that can go wrong: the patches that differ, and in
                 ``later.txt`` the lines of the other patches that name a changed blob or a moved
                 hunk, as ``NNNN:line:text``

Patches are kept as patches, because their modes, renames and binary hunks are part of what the
sample is for.  To change the series, write the sample, take the posted mailbox onto a branch with
``git am``, rebase, and write it out again with ``git format-patch -v2 -n --binary --abbrev=12``.
"""
