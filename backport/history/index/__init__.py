# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of history: what branches have and state, kept in one SQLite file of the repository.

ledger.py        what others ask; without an index, or with a damaged one, the answer is None
reader.py        the file as it is read
update.py        the file, made and brought up to date in one transaction
kept_spans.py    what a commit reaches and another does not, with what those commits name
kept_sides.py    what upstream and the stable branches have of each other, and what each commit states
kept_answers.py  what a command has found out about single commits
"""
