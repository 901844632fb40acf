"""The user who has run `az login` on this machine.
https://learn.microsoft.com/en-us/cli/azure/account#az-account-get-access-token (read November 2026)
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Mapping

import msgspec

from runtime.errors import Unavailable
from runtime.http.tokens import Token

_LIMIT_S = 30.0
_SOURCE = "the user of `az login`"


async def token_of_user(resource: str, env: Mapping[str, str], tenant: str | None) -> Token | None:
    """None where the command is not there. env: with `PATH`. Raises Unavailable where nobody has signed on."""
    command = shutil.which("az", path=env.get("PATH"))
    if command is None:
        return None
    arguments = ["account", "get-access-token", "--output", "json", "--resource", resource]
    arguments += ["--tenant", tenant] if tenant else []
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
        )
    except OSError as error:
        raise Unavailable(
            f"`{command}` cannot be run: {error.strerror}", hint="install Azure's command line anew"
        ) from None
    try:
        async with asyncio.timeout(_LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise Unavailable(f"`az account get-access-token` said nothing for {_LIMIT_S:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        words = err.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
        raise Unavailable(f"`az account get-access-token`: {words[0][:300]}", hint="run `az login`")
    return _token(out)


def _token(out: bytes) -> Token:
    try:
        said = msgspec.json.decode(out, type=dict)
        value = said["accessToken"]
    except (msgspec.DecodeError, KeyError, RecursionError):
        value = None
    if not isinstance(value, str) or not value:
        raise Unavailable("`az account get-access-token` answered no token")
    ends = said.get("expires_on")  # since 2.54; the other member is a local time
    return Token(value=value, expires_at=float(ends) if isinstance(ends, int | float) else None, source=_SOURCE)
