# SPDX-License-Identifier: GPL-2.0-or-later
"""What looks unused to the finder of dead code and is not: a name, and who uses it."""

_main  # backport.cli: Typer, the program's own options
read_header_cb  # backport.gateway.objects: libgit2 calls these by name
read_prefix_cb
exists_cb
exists_prefix_cb
write_cb
refresh_cb
XEN  # backport.levels: what a user names in an option; the branch for it is an else
variants  # backport.sample.write: read by the tests
hard  # series.graph.evidence: a field of a protocol, read through its classes
dependents  # series.graph.dependencies: waits for the questions of `graph`
linearise
Fit
backport_to  # series.reading.trailers: `Backport: 4.10+` is read; `check` will ask for it
