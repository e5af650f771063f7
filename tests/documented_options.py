# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of docs/options.md, from the command line itself.

``python -m tests.documented_options`` writes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from backport.accepted import BARE
from backport.cli import app
from backport.commands.parsing import takes_one_value
from backport.config_keys import KEYS

PAGE = Path(__file__).parents[1] / "docs" / "options.md"
_BEGIN, _END = "<!-- from the command line: {} -->", "<!-- end -->"


def verbs() -> dict[str, Any]:
    """Every verb with its parser; ``hook install`` is one."""
    group: Any = get_command(app)
    found: dict[str, Any] = {}
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            below = command.list_commands(None)
            found |= {f"{name} {verb}": command.get_command(None, verb) for verb in below}
        else:
            found[name] = command
    return found


def tables() -> dict[str, str]:
    """Each table, by its name in the page."""
    options: dict[tuple[str, str, str], list[str]] = {}
    for verb, command in verbs().items():
        for param in command.params:
            if param.param_type_name == "option" and not param.hidden:
                options.setdefault(_option(param), []).append(verb)
    rows = ["| option | values | what it does | verbs |", "|---|---|---|---|"]
    rows += [
        f"| {name} | {values} | {text} | {', '.join(found)} |"
        for (name, values, text), found in sorted(options.items())
    ]
    keys = ["| `backport.` | values | what it does |", "|---|---|---|"]
    keys += [f"| `{k.name}` | {_cell(_often(k.values, k.repeated))} | {k.meaning} |" for k in KEYS]
    return {"options": "\n".join(rows), "keys": "\n".join(keys)}


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for name, table in tables().items():
        begin = _BEGIN.format(name)
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(_END)}", re.S)
        text = pattern.sub(lambda _, b=begin, t=table: f"{b}\n{t}\n{_END}", text)  # type: ignore[misc]
    return text


def _option(param: Any) -> tuple[str, str, str]:
    long, *letters = sorted(param.opts, key=len, reverse=True)
    values = "" if param.is_flag else _values(param)
    repeated = not param.is_flag and not takes_one_value(param)
    return f"`{long}`" + "".join(f" `{x}`" for x in letters), _often(values, repeated), param.help


def _values(param: Any) -> str:
    if "--accept" in param.opts:
        return _cell("|".join(("INVARIANT:SCENARIO", "unproven:LEVEL", *BARE)))
    if param.metavar:
        least, most = getattr(param.type, "min", None), getattr(param.type, "max", None)
        spread = f" ({least} to {most})" if most is not None else ""
        return _cell(param.metavar) + spread
    return ", ".join(getattr(param.type, "choices", ())) or str(param.type.name).upper()


def _often(values: str, repeated: bool) -> str:
    return f"{values}; repeated" if repeated else values


def _cell(text: str) -> str:
    return text.replace("|", ", ").replace("<", "\\<")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
