# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept on disk: files that survive a crash, and the cache of verdicts."""
