# SPDX-License-Identifier: GPL-2.0-or-later
"""Git's answers as git gives them by itself: what the user has configured of their looks is for him to read.

With ``grep.lineNumber`` every name that git grep finds has a number before it, with ``color.ui=always`` it
is painted, and with ``log.showSignature`` gpg's words stand among the ids.
"""

from __future__ import annotations

_ALWAYS = (
    *(f"color.{of}=false" for of in ("ui", "branch", "diff", "grep", "status")),
    *(f"grep.{of}=false" for of in ("lineNumber", "column", "fullName", "extendedRegexp")),
    "grep.patternType=default",
    *(f"log.{of}=false" for of in ("showSignature", "follow", "decorate")),
    "log.date=default",
    "column.ui=never",
    "diff.relative=false",
    "i18n.logOutputEncoding=UTF-8",
    # As git cherry-pick does, what is checked out of a submodule is left alone.
    "submodule.recurse=false",
)
_MAILS = (
    *("diff.context=3", "diff.interHunkContext=0", "diff.algorithm=histogram"),
    *("diff.orderFile=/dev/null", "diff.suppressBlankEmpty=false", "core.quotePath=true"),
    *("diff.ignoreSubmodules=none", "diff.submodule=short"),
    *("format.headers=", "format.useAutoBase=false", "format.mboxrd=false", "format.notes=false"),
    "format.signOff=false",
    *("format.suffix=.patch", "format.coverFromDescription=default"),
)

_MAILS_TAKEN = (
    *("apply.whitespace=nowarn", "apply.ignoreWhitespace=no"),
    *("am.keepcr=false", "am.threeWay=false", "am.messageId=false", "commit.gpgSign=false"),
)

PLAIN = tuple(word for setting in _ALWAYS for word in ("-c", setting))
"""Options of git, for every command whose output is read."""
PLAIN_MAILS = tuple(word for setting in _MAILS for word in ("-c", setting))
"""The same for ``git format-patch``."""
PLAIN_AM = tuple(word for setting in _MAILS_TAKEN for word in ("-c", setting))
"""The same for ``git am``."""
MAIL_OPTIONS = (
    *("--full-index", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--no-attach"),
    # Over diff.noprefix and its like: an early git takes format.noprefix=false for true.
    *("--src-prefix=a/", "--dst-prefix=b/"),
    *("--no-to", "--no-cc", "--no-from", "--no-thread", "--no-notes", "--encode-email-headers"),
)
"""Further options of ``git format-patch``, so that others can apply what it writes."""
