# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine on the repository's own past: real backports done again, seeing only what there was."""
