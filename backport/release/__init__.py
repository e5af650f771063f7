# SPDX-License-Identifier: GPL-2.0-or-later
"""A stable branch becomes a release: counted, numbered, tagged and announced; nothing is pushed.

numbers        versions, the tag's name, and the line of the tree that holds the version
changes_since  what the release has: changes by area, security first, proof and debt
announcement   the same as Markdown and as a mail
making         the acts: the version's commit, the tag
"""
