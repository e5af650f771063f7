# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a series, as exceptions whose message says what, where and what to do.

The tree, each class beside the code that raises it::

    SeriesError
    ├── MailError            mail.py     a mailbox or mail that is none
    ├── DiffError            diff.py     a diff that does not parse
    │   └── PathError        diff.py     a path that would leave the tree
    ├── QuiltError           quilt.py    a quilt series that does not hold together
    └── PlaceError           hunks.py    a change that does not fit the text
"""

from __future__ import annotations


class SeriesError(Exception):
    """Base of all errors of this package; ``str()`` is one message fit for the user."""
