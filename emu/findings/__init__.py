# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulation has to say.

invariant    the kinds of things that can be wrong
fact         what is known of a tree, and from where
verdict      findings, and the report of an object
boot_report  the report of an image
ladder       what changed between two images
"""
