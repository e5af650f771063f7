# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that look unused to the dead-code finder and are not, each with its user."""

apply  # backport.cli: verbs are loaded by name
continue_
deps
index
provenance
sample
__doc__  # backport.commands.config: the help of the verb
list_commands  # backport.commands.parsing: Click calls them
get_command
_common_dir  # backport.gateway.git_runner: GitPython reads it
_main  # backport.cli: Typer calls it for the program's own options
read_header_cb  # backport.gateway.objects: libgit2 calls these by name
read_prefix_cb
exists_cb
exists_prefix_cb
write_cb
refresh_cb
text_factory  # sqlite3 calls it
mwindow_size  # pygit2.settings: setting it is a call
mwindow_mapped_limit
XEN  # backport.levels: an option's value; the branch for it is an else
ZDIFF3  # backport.run.markers: as XEN
skipped  # backport.run.accounting: read through asdict
variants  # backport.sample.write: read by the tests
entry_size  # emu.elf.headers: a field of a section header, which is read whole
SMI  # emu.hardware.lapic: delivery modes are looked up by number
description  # emu.profile.data: what a profile's file says about itself
DOMAIN  # emu.profile.scenario: names that a profile uses, looked up by value
VCPU0
VCPU1
PIRQ
STRUCTURES  # emu.rules.state: every area is checked, in a loop
STRIP  # series.reading.choices: an option's value
backport_to  # series.reading.trailers: `Backport: 4.10+` is read; `check` will use it
unusable  # backport.builds.sandbox: asked by the tests
backtest  # backport.cli: a verb
legend  # backport.export.page_data: page.html reads it, as the next
heats
aside  # backport.export.owed_list: as legend
