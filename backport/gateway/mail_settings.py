# SPDX-License-Identifier: GPL-2.0-or-later
"""git's own settings for reading mails and for writing messages, as settings of ours."""

from __future__ import annotations

from backport.gateway.repository import Repo


def mail_settings(repo: Repo) -> dict[str, tuple[str, ...]]:
    """``mailinfo.scissors``, ``mailinfo.quotedCr`` and ``i18n.commitEncoding``, by the names of our settings.

    ``warn``, git's default, is our ``auto``: the user has not chosen.
    """
    config = repo.git.config
    found: dict[str, tuple[str, ...]] = {}
    if values := config.get("mailinfo.scissors"):
        found["scissors"] = values
    if values := config.get("mailinfo.quotedcr"):
        value = values[-1].lower()
        found["quoted_cr"] = (value if value in ("nowarn", "strip") else "auto",)
    encoding = config.get("i18n.commitencoding", ("",))[-1]
    if encoding.lower() not in ("", "utf-8", "utf8"):
        found["commit_encoding"] = (encoding,)
    return found
