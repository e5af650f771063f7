# SPDX-License-Identifier: GPL-2.0-or-later
"""How the command line is read: each verb loaded when it is named, and no option lost.

Building a parser for all verbs takes longer than what many of them do: `status` and a hook's `check` would
spend half of their time on the options of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from inspect import getdoc
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_group_from_info
from typer.models import CommandInfo, TyperInfo

OPTIONAL_RANGE = "[A..B]"
"""The metavar of an option whose value is a range, or `UNPUSHED` where it stands alone."""
UNPUSHED = "@{upstream}.."
"""git's words for the commits that the branch's upstream does not have."""


class Command(TyperCommand):
    """A verb, which refuses the second value of an option that holds one, and a value that is none.

    Click takes the last of two and says nothing: of two branches one would be left out unseen.  A shell
    variable that is not set makes an empty value, which would count as no option (``--to "$new"`` would move
    the branch itself), or has the next option taken for the value.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _completed(args, self.params))

    def make_parser(self, ctx: Any) -> Any:
        parser: Any = super().make_parser(ctx)
        read = parser.parse_args
        options = {word for param in self.params for word in param.opts if word.startswith("-")}

        def parse_args(args: list[str]) -> Any:
            opts, rest, order = read(args=args)
            for param in order:
                if takes_one_value(param) and order.count(param) > 1:
                    name = max(param.opts, key=len)
                    ctx.fail(f"{name} is given {order.count(param)} times and takes one value.")
                for value in _values(opts.get(param.name)):
                    if value == "" or value in options:
                        name, what = max(param.opts, key=len), value or "an empty value"
                        ctx.fail(f"{name} is given {what}: is a shell variable not set?")
            return opts, rest, order

        parser.parse_args = parse_args
        return parser


class LazyGroup(TyperGroup):
    """The verbs by name below the heading that help shows them under, each as ``module:function`` of this
    room; a verb with verbs of its own is a Typer object."""

    panels: ClassVar[Mapping[str, Mapping[str, str]]]
    _listing = False

    @cached_property
    def verbs(self) -> dict[str, tuple[str, str]]:
        """Of each verb the heading, and where it is."""
        return {
            verb: (panel, place)
            for panel, verbs in self.panels.items()
            for verb, place in verbs.items()
        }

    def list_commands(self, _: Any) -> list[str]:
        return list(self.verbs)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.verbs and not args[0].startswith("-"):
            near = ", ".join(get_close_matches(args[0], self.verbs))
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        # The list of verbs has a line of each: the options of all need not be read for it.
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def get_command(self, _: Any, cmd_name: str) -> Any:
        if cmd_name not in self.verbs:
            return None
        panel, place = self.verbs[cmd_name]
        module, _, function = place.partition(":")
        verb = getattr(import_module(f"backport.commands.{module}"), function)
        if isinstance(verb, typer.Typer):
            # Alone, a Typer object has neither name nor heading.
            group = TyperInfo(verb, name=cmd_name, rich_help_panel=panel)
            return get_group_from_info(
                group,
                pretty_exceptions_short=False,
                rich_markup_mode=self.rich_markup_mode,
                suggest_commands=False,
            )
        if self._listing:
            return Command(cmd_name, help=getdoc(verb), rich_help_panel=panel)
        info = CommandInfo(cmd_name, cls=Command, callback=verb, rich_help_panel=panel)
        return get_command_from_info(
            info, pretty_exceptions_short=False, rich_markup_mode=self.rich_markup_mode
        )


def _completed(args: list[str], params: list[Any]) -> list[str]:
    """The arguments with the value of an option that may stand without one (its metavar is ``[...]``)."""
    without = {word for param in params if param.metavar == OPTIONAL_RANGE for word in param.opts}
    found: list[str] = []
    for number, word in enumerate(args):
        found.append(word)
        if word == "--":
            return found + args[number + 1 :]
        following = args[number + 1 : number + 2]
        if word in without and (not following or following[0].startswith("-")):
            found.append(UNPUSHED)
    return found


def _values(given: Any) -> Sequence[Any]:
    """The values of an option or argument, as they were given."""
    return given if isinstance(given, list | tuple) else (given,)


def takes_one_value(param: Any) -> bool:
    """An option with one value; neither a flag, nor one that may be repeated."""
    is_option = param.param_type_name == "option"
    return is_option and not param.multiple and not param.is_flag and not param.count
