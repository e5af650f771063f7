# SPDX-License-Identifier: GPL-2.0-or-later
"""What blobs, numbers, threads, file names and context say of the order."""
