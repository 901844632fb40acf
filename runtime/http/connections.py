"""Shared by all clients of one provider: its network settings, its connections, and the addresses of its servers."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.addresses import is_near
from runtime.clock import wall_time
from runtime.errors import Unavailable, UpstreamUnreachable
from runtime.http.network import Network
from runtime.http.retries import Retries
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Between, Transport, host_of
from runtime.outage import Outage

_MAX_SERVERS = 256
"""How many servers are remembered as not reached."""


class Connections:
    """Opened with the first request. transport: replaces the network.

    only_public: whether names are looked up and those that lead to no public address refused. are_given: whether users
    give the names, which are looked up apart from those of vendors. shows_paths: whether messages may have the paths of
    addresses, which of others' servers may be keys. between: see `Between`.

    failed_calls: how many calls got no answer; when it grows, the provider's upstream may be down. headers: added to
    every request by the config. retries: whether a request is sent again. is_offline: whether what stands between
    answers everything, so that nobody is connected to and no name is looked up.
    """

    def __init__(
        self,
        provider_id: str,
        network: Network | None,
        transport: Transport | None,
        *,
        only_public: bool = False,
        are_given: bool = False,
        shows_paths: bool = True,
        between: Between | None = None,
    ) -> None:
        self.shows_paths = shows_paths
        self.between = between
        self.provider_id = provider_id
        self.network = network
        self._only_public = only_public
        self._are_given = are_given
        self._others: set[Connections] = set()
        self._made_from: Connections | None = None
        self.failed_calls = 0
        self._unreachable_since: dict[str, float] = {}  # by server
        self.headers: dict[str, str] = {}
        self.transport = transport
        self._replacement = transport
        self.retries = Retries()
        self.is_offline = False
        self._is_closed = False
        self._hosts: set[str] = set()
        if network is not None:
            self.headers = {name: value.get_secret_value() for name, value in network.headers.items()}
            if network.retries is not None:
                self.retries = network.retries.as_retries()

    def check(self) -> None:
        """Raises Unavailable if a file of the network settings does not exist that is needed."""
        if self.is_offline:
            return
        tls, proxy = (self.network.tls, self.network.proxy) if self.network is not None else (None, None)
        missing = tls.missing() if tls is not None else None
        if missing is None and proxy is not None and proxy.cacert is not None and not proxy.cacert.exists():
            missing = proxy.cacert
        if missing is not None:
            raise Unavailable(
                f"provider `{self.provider_id}` has no file `{missing}`", hint="its `network` settings name that"
            )

    def open(self) -> Transport:
        """Raises Unavailable once they are closed, and where they are offline."""
        if self._is_closed:
            raise Unavailable(f"provider `{self.provider_id}` was stopped")
        if self.is_offline:
            raise Unavailable(f"`{self.provider_id}` is not asked for real: this server answers from recordings")
        if self.transport is None:
            # Imported here, so that a stack without remote providers never loads the HTTP library.
            from runtime.http.live.transport import LiveTransport

            self.transport = LiveTransport(
                self.provider_id,
                self.network,
                only_public=self._only_public,
                are_given=self._are_given,
                shows_paths=self.shows_paths,
            )
        return self.transport

    def for_others(self, *, only_public: bool, are_given: bool, called: str = "") -> Connections:
        """Connections to servers that are not the provider's, closed with these if not before: without the headers of
        its config. only_public, are_given: of the new ones. called: what messages call these servers; empty for the
        provider's id. Raises Unavailable once these are closed.
        """
        if self._is_closed:
            raise Unavailable(f"provider `{self.provider_id}` was stopped")
        network = None if self.network is None else self.network.model_copy(update={"headers": {}})
        # Not the open connections: they lead to whatever names were looked up for, checked or not.
        made = Connections(
            called or self.provider_id,
            network,
            self._replacement,
            only_public=only_public,
            are_given=are_given,
            shows_paths=False,
            between=self.between,
        )
        made.retries.repeats = self.retries.repeats
        made.is_offline = self.is_offline
        made._made_from = self
        self._others.add(made)
        return made

    def answered(self, url: str) -> None:
        """The server of an address has answered, so it is reached."""
        if self._unreachable_since:
            self._unreachable_since.pop(urlsplit(url).netloc, None)

    def unreachable(self, url: str, error: UpstreamUnreachable, *, is_serving: bool) -> None:
        """The server of an address was not reached. For a request that a client waits for, `error` says since when."""
        now = wall_time()
        if len(self._unreachable_since) >= _MAX_SERVERS:
            self._unreachable_since.clear()
        since = self._unreachable_since.setdefault(urlsplit(url).netloc, now)
        if is_serving and now - since >= 1:
            error.message = str(Outage(reason=error.message, since=since))

    def is_down(self, url: str) -> bool:
        """Whether the server of an address was not reached for so long that trying again at once is of no use."""
        since = self._unreachable_since.get(urlsplit(url).netloc)
        return since is not None and wall_time() - since > self.retries.within_s

    def limited(self, timeouts: Timeouts) -> Timeouts:
        """The timeouts, with those of the config replacing the provider's own."""
        configured = self.network.timeout if self.network is not None else None
        return timeouts if configured is None else configured.over(timeouts)

    def note_server(self, address: str) -> None:
        """Add the address of a server that the provider calls."""
        self._hosts.add(host_of(address))

    @property
    def is_near(self) -> bool:
        """Whether all its servers are on this machine or in a private network, so that calls are cheap."""
        return bool(self._hosts) and all(map(is_near, self._hosts))

    async def close(self) -> None:
        """End running calls. No request can be sent after this."""
        self._is_closed = True
        for others in list(self._others):
            await others.close()
        if self._made_from is not None:
            self._made_from._others.discard(self)
        transport, self.transport, self._replacement = self.transport, None, None
        if transport is not None:
            await transport.close()
