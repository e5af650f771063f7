# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the tool in a form that another program reads, one file a format.

run_record, listener   what a run came to, and how that is gathered while it goes on
tree_places            files and lines of the tree that a verdict names
junit, sarif, annotations   for CI
"""
