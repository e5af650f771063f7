# SPDX-License-Identifier: GPL-2.0-or-later
"""A series in which every step builds, made from one in which only later steps repair the earlier ones.

lineup      the steps as trees, and how a patch or a part of one goes to another place
line_moves  lines carried past steps that change the lines beside them
pieces      the parts of a change that can go by themselves
folding     ``fixup!`` and ``squash!``
absorbing   what is staged, given to the commits that it belongs to
inclusion   which header of a tree has a name
suspects    from the errors of a build to names, and to the patches that bring them
search      which change of the order, or which few lines, repair a step
mending     the whole: proven, mended, proven again
"""
