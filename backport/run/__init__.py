# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a run, and its preview."""
