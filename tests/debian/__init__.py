# SPDX-License-Identifier: GPL-2.0-or-later
"""The quilt series of Debian's source packages, put on by us and by quilt: are the trees the same?"""
