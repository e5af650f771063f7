# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build does not get to see: keys, configuration and sockets of the people of this machine.

Hidden by rule, not by a list of products: every entry of a home whose name begins with a dot (~/.ssh,
~/.gnupg, ~/.netrc, ~/.config, ...), what the environment names as such a place, and for root, who may
read everything, other people's homes and the files of /etc that are not for everyone.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

OWN = ("/tmp", "/var/tmp", "/run", "/dev/shm")
"""A build gets its own copy of these folders, with only what it needs in it."""
_NAMED = (
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "GNUPGHOME",
    "NETRC",
    "DOCKER_CONFIG",
    "KUBECONFIG",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CONFIG_DIR",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KRB5CCNAME",
    "GIT_CONFIG_GLOBAL",
    "PASSWORD_STORE_DIR",
    "XAUTHORITY",
)
"""Variables whose value is such a place."""
_SYSTEM = ("/", "/usr", "/etc", "/var", "/opt", "/srv", "/lib", "/bin", "/sbin", "/dev", "/proc")
"""Never hidden as a whole, even if a variable or the password file names one."""


def hidden_places(variables: Mapping[str, str]) -> tuple[Path, ...]:
    """Folders and files to cover; each exists and is no link."""
    found: dict[Path, None] = {}
    own = _own_homes(variables)
    for home in own:
        found |= dict.fromkeys(_dot_entries(home))
    for name in _NAMED:
        value = variables.get(name, "").removeprefix("FILE:")
        if value.startswith("/"):
            found[Path(value).resolve()] = None
    if os.geteuid() == 0:
        found |= dict.fromkeys(_other_homes(own))
        found |= dict.fromkeys(_not_for_everyone(Path("/etc")))
    return tuple(
        path
        for path in found
        if str(path) not in _SYSTEM and path not in own and (path.is_file() or path.is_dir())
    )


def sockets() -> tuple[Path, ...]:
    """The sockets that somebody listens on, as proc(5) lists them in net/unix.

    One that was bound by a relative name lies in the folder of a process that has it open, as long as
    that process has not moved on.
    """
    try:
        listed = Path("/proc/net/unix").read_text(errors="surrogateescape")
    except OSError:
        return ()
    fields = [line.split(None, 7)[6:] for line in listed.splitlines()[1:]]
    named = [(number, *rest) for number, *rest in fields if rest and not rest[0].startswith("@")]
    found = {Path(name).resolve() for _, name in named if name.startswith("/")}
    relative = {f"socket:[{number}]": name for number, name in named if not name.startswith("/")}
    for folder, number in _open_in(relative) if relative else ():
        found.add((folder / relative[number]).resolve())
    return tuple(sorted(path for path in found if path.is_socket()))


def _open_in(sockets: Collection[str]) -> Iterator[tuple[Path, str]]:
    """The working folders of the processes that have sockets open, by what proc(5) calls these."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or one that has ended
            cwd = (process / "cwd").readlink()
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if (name := str(descriptor.readlink())) in sockets:
                        yield cwd, name


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path is one of the folders, or lies in one."""
    wanted = frozenset(map(str, folders))
    return not wanted.isdisjoint((str(path), *map(str, path.parents)))


def _own_homes(variables: Mapping[str, str]) -> tuple[Path, ...]:
    homes = [variables.get("HOME", "")]
    with contextlib.suppress(KeyError):  # a user that the password file does not know
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    found = dict.fromkeys(Path(home).resolve() for home in homes if home.startswith("/"))
    return tuple(home for home in found if home.is_dir() and str(home) not in _SYSTEM)


def _dot_entries(home: Path) -> Iterator[Path]:
    try:
        names = [entry.name for entry in os.scandir(home)]
    except OSError:
        return
    for name in names:
        if name.startswith("."):
            place = (home / name).resolve()
            # A link out of the home may lead to what is everybody's; what it leads to in there is not.
            if home in place.parents:
                yield place


def _other_homes(own: Iterable[Path]) -> Iterator[Path]:
    for user in pwd.getpwall():
        home = Path(user.pw_dir)
        if is_below(home, (Path("/home"), Path("/root"))) and home not in own:
            yield home.resolve()


def _not_for_everyone(folder: Path, depth: int = 3) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:  # it has gone meanwhile
            continue
        if entry.is_dir():
            if not mode & stat.S_IXOTH:
                yield Path(entry.path)
            elif depth:
                yield from _not_for_everyone(Path(entry.path), depth - 1)
        elif stat.S_ISREG(mode) and not mode & stat.S_IROTH:
            yield Path(entry.path)
