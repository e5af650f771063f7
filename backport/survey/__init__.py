# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch has, what it owes, and what a patch would need there; nothing is changed."""
