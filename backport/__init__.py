# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree, the run, the terminal: puts a series on a stable branch and proves every step."""
