# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the tool: read again by the programs it is meant for, or by their schemas."""
