"""TLS of the server, with a limit on handshakes under way: no protocol knows of such a connection, and a client that
never finishes its own would hold it for a minute.
"""

from __future__ import annotations

import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any, Self

from runtime.config.sections import ServerConfig

_LIMIT_S = 60.0
"""After so long, asyncio and uvloop end a handshake."""


class _Handshake(ssl.SSLObject):
    """One connection. is_refused: it ends as if its handshake had failed, of which no event loop says a word."""

    is_refused = False

    def do_handshake(self) -> None:
        if self.is_refused:
            raise ssl.SSLError("too many connections")
        super().do_handshake()


class CountingContext(ssl.SSLContext):
    """The certificates of a run config. room: how many more connections there may be, without those in a handshake."""

    sslobject_class = _Handshake
    _room: Callable[[], int]
    _begun: weakref.WeakKeyDictionary[ssl.SSLObject, float]

    def __new__(cls, config: ServerConfig, room: Callable[[], int]) -> Self:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._room, made._begun = room, weakref.WeakKeyDictionary()
        return made

    def __init__(self, config: ServerConfig, room: Callable[[], int]) -> None:
        assert config.tls_certfile is not None, "without one there is no TLS"
        self.load_cert_chain(config.tls_certfile, config.tls_keyfile)
        self.verify_mode = ssl.CERT_REQUIRED if config.tls_cafile else ssl.CERT_NONE
        if config.tls_cafile:
            self.load_verify_locations(config.tls_cafile)

    def wrap_bio(self, *bios: Any, **options: Any) -> ssl.SSLObject:
        """What an event loop asks for when a client connects."""
        begun = super().wrap_bio(*bios, **options)
        assert isinstance(begun, _Handshake)
        begun.is_refused = self._handshakes() >= self._room()
        if not begun.is_refused:
            self._begun[begun] = time.monotonic()
        return begun

    def _handshakes(self) -> int:
        """How many are under way. Those that have ended otherwise are gone by themselves, with asyncio some later."""
        oldest = time.monotonic() - _LIMIT_S
        for begun, at in list(self._begun.items()):
            if at < oldest or begun.version() is not None:  # it has one at the end of its handshake
                del self._begun[begun]
        return len(self._begun)
