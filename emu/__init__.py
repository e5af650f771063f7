# SPDX-License-Identifier: GPL-2.0-or-later
"""An object and a hypercall in, a verdict out.  Knows nothing of git."""
