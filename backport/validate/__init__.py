# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step proven: built, emulated, compared with the steps before."""
