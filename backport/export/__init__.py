# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the tool in a form that another program reads, one file a format.

run_record, listener   what a run came to, and how that is gathered while it goes on
branch_records         the same of each branch of one command
tree_places            files and lines of the tree that a verdict names
junit, sarif, annotations   for CI
page_data              what a page for a person shows, as values
owed_list              what a branch is owed, for the page
html_page              the page itself, from page.html, page.css and page.js
outgoing               a branch's commits as an mbox, a folder or a quilt series
refreshing             a quilt series carried to another release
commit_notes           how far each commit is proven, as git notes
mails                  commits as mails
round_trip             what was exported is put on again and compared
"""
