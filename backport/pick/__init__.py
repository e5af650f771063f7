# SPDX-License-Identifier: GPL-2.0-or-later
"""How one change is put on one tree: on objects, path by path, without index or worktree.

A 3-way merge a touched path with libgit2 puts the 77 patches of the shim series on their base in
0.05-0.14 s, whole-tree merges take 0.53 s, ``git am`` 0.39 s; so the unit of work is the path.
"""
