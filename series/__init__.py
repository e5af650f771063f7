# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches and what ties them: bytes in, frozen values out; no git, no subprocess, no printing."""
