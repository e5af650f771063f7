# SPDX-License-Identifier: GPL-2.0-or-later
"""One step built: its worktree, sandbox, processes and probe."""
