# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulation has to say: verdicts, reports, the ladder."""
