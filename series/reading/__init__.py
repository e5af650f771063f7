# SPDX-License-Identifier: GPL-2.0-or-later
"""Text in, values out: mails, mailboxes, quilt series, diffs, trailers."""
