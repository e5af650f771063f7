# SPDX-License-Identifier: GPL-2.0-or-later
"""Git: the repository, its objects, trees and packs."""
