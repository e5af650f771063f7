# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures of commits, made as git makes them: ``commit.gpgSign``, ``gpg.format``, ``user.signingKey``.

A commit is signed as the bytes of its object (gpg-interface.c): OpenPGP and X.509 by ``gpg`` or ``gpgsm``
with a status on standard error, SSH by ``ssh-keygen -Y sign``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from backport.errors import GitFailed, UsageError
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.store.files import temporary_folder

_TRUE = ("true", "yes", "on", "1", "")
_CREATED = b"[GNUPG:] SIG_CREATED "


class SigningFailed(GitFailed):
    """The key, or the program that uses it, does not sign."""


class Format(StrEnum):
    """The values of ``gpg.format``."""

    OPENPGP = "openpgp"
    X509 = "x509"
    SSH = "ssh"


_PROGRAM = {Format.OPENPGP: "gpg", Format.X509: "gpgsm", Format.SSH: "ssh-keygen"}


class Signer(Struct, frozen=True):
    """Signs with one key; ``literal`` where the key itself stands in the configuration."""

    repo: Repo
    format: Format
    program: str
    key: str
    literal: bool = False

    def sign(self, payload: bytes) -> bytes:
        """The armoured signature of ``payload``.  Raises `SigningFailed`."""
        with ExitStack() as held:
            if self.format is Format.SSH:
                words = [self.program, "-Y", "sign", "-n", "git", "-f", self._key_file(held)]
                words += ["-U"] if self.literal else []
            else:
                words = [self.program, "--status-fd=2", "-bsau", self.key]
            try:
                done = subprocess.run(
                    words,
                    input=payload,
                    capture_output=True,
                    env=self.repo.environment.for_git(),
                    cwd=self.repo.top,
                    check=False,
                )
            except OSError as error:
                raise SigningFailed(f"{self.program} cannot be run: {error.strerror}") from error
        created = self.format is Format.SSH or _CREATED in done.stderr
        if done.returncode or not created or not done.stdout.strip():
            said = [
                line
                for line in done.stderr.decode("utf-8", "replace").splitlines()
                if line.strip() and not line.startswith("[GNUPG:]")
            ]
            raise SigningFailed(f"{self.program}: {'; '.join(said[-3:]) or 'no signature'}")
        return done.stdout.replace(b"\r\n", b"\n").rstrip(b"\n")

    def _key_file(self, held: ExitStack) -> str:
        if not self.literal:
            return str(Path(self.key).expanduser())
        file = held.enter_context(temporary_folder()) / "key.pub"
        file.write_text(f"{self.key}\n")
        return str(file)


def find_signer(
    repo: Repo, who: Signature, switches: Sequence[str] = ("commit.gpgsign",)
) -> Signer | None:
    """What signs for ``who``; None where the user has set none of ``switches``."""
    config = repo.git.config
    if all(config.get(key, ("false",))[-1].lower() not in _TRUE for key in switches):
        return None
    wanted = config.get("gpg.format", (Format.OPENPGP.value,))[-1].lower()
    try:
        kind = Format(wanted)
    except ValueError:
        raise UsageError(
            f"git config gpg.format: {wanted!r} should be one of {', '.join(Format)}"
        ) from None
    keys = [f"gpg.{kind}.program"] + (["gpg.program"] if kind is Format.OPENPGP else [])
    program = next((config[key][-1] for key in keys if key in config), _PROGRAM[kind])
    key = config.get("user.signingkey", ("",))[-1]
    if kind is Format.SSH:
        key = key or _default_key(repo)
        literal = key.startswith(("key::", "ssh-"))
        return Signer(repo, kind, program, key.removeprefix("key::"), literal)
    name = who.who.name.decode("utf-8", "replace")
    return Signer(repo, kind, program, key or f"{name} <{who.who.email.decode()}>")


def _default_key(repo: Repo) -> str:
    command = repo.git.config.get("gpg.ssh.defaultkeycommand", ("",))[-1]
    if command:
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            text=True,
            env=repo.environment.for_git(),
            check=False,
        )
        for line in done.stdout.splitlines():
            if line.startswith(("key::", "ssh-")):
                return line
    raise SigningFailed("commit.gpgSign is set with gpg.format ssh, and user.signingKey is not")


def with_signature(raw: bytes, signature: bytes) -> bytes:
    """A commit object with its signature, as git's header ``gpgsig`` holds it."""
    head, _, message = raw.partition(b"\n\n")
    return head + b"\ngpgsig " + signature.replace(b"\n", b"\n ") + b"\n\n" + message
