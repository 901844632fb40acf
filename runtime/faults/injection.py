"""The faults of one server, by provider, and those of one request alone; each one that happens is told in the answer's
headers and in the log.

Each attempt of a provider to be answered counts, also when it sends the same again, but only those of requests and
jobs: a provider that is asked for its health or its models fails for `down` alone, so that no server starts by chance.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from runtime.context import current
from runtime.errors import ConfigInvalid, RequestError
from runtime.faults.draws import Alike, Turns, drawn
from runtime.faults.parsing import HEADER, INSTEAD, Fault, Rule, check_providers, closest, read_faults

log = logging.getLogger(__name__)
TOLD = "x-llama-injected"
"""The header that tells which faults an answer has met: `openai 429, openai slow 3s`."""
_LONGEST_TOLD = 1_000
_MOST_EVENTS = 3


class Faults:
    """providers: every one of the stack, as `api/id`, each with whether `*` means it. off: how to turn on each that is
    off, by its id, for messages. Raises ConfigInvalid for rules of providers that there are not.
    """

    def __init__(
        self, rules: Sequence[Rule], *, seed: int, providers: Mapping[str, bool], off: Mapping[str, str] | None = None
    ) -> None:
        self.seed = seed
        self._providers = providers
        self._off = off or {}
        check_providers(rules, providers, self._off)
        self._of = {name: ProviderFaults(self, name, self.closest(rules, name)) for name in providers}
        self._began: float | None = None

    def begin(self) -> None:
        """The server answers from now on."""
        self._began = time.monotonic()

    @property
    def passed_s(self) -> float:
        """How long the server has answered, in seconds."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def of(self, name: str) -> ProviderFaults:
        """Those of a provider of the stack, `api/id`."""
        return self._of[name]

    def closest(self, rules: Sequence[Rule], name: str) -> tuple[Fault, ...]:
        return closest(rules, name, of_every=self._providers[name])

    def of_request(self, headers: Sequence[str]) -> RequestFaults:
        """What the header of a request says, which can be there several times. Raises RequestError."""
        try:
            rules = read_faults(headers, where=HEADER)
            check_providers(rules, self._providers, self._off)
        except ConfigInvalid as error:
            wrong = "; ".join(one.message + (f" ({one.hint})" if one.hint else "") for one in error.problems)
            raise RequestError(f"The {HEADER} header cannot be used: {wrong}", param=HEADER) from None
        return RequestFaults(self, rules)


class RequestFaults:
    """What goes wrong in one request alone: with the providers that it names instead of what goes wrong with them
    otherwise. `first` and `every` count its own attempts.
    """

    def __init__(self, server: Faults, rules: Sequence[Rule]) -> None:
        self._server = server
        self._rules = rules
        self._turns: dict[str, Turns] = {}

    def turns(self, name: str) -> Turns | None:
        """Those of a provider; None where the request does not name it."""
        if name not in self._turns:
            self._turns[name] = Turns(self._server.closest(self._rules, name))
        return self._turns[name] if self._turns[name].faults else None


class ProviderFaults:
    """What goes wrong with one provider. name: `api/id`."""

    def __init__(self, server: Faults, name: str, faults: Sequence[Fault]) -> None:
        self._server = server
        self.name = name
        self.provider_id = name.partition("/")[2]
        self._downs = [fault for fault in faults if fault.kind == "down"]
        self._turns = Turns(faults)
        self._attempts = 0
        self._alike = Alike()

    @property
    def seed(self) -> int:
        return self._server.seed

    @property
    def may_be_down(self) -> bool:
        return bool(self._downs)

    def is_down(self) -> bool:
        """Whether nobody reaches it now, which is told of a request."""
        down = next((one for one in self._downs if one.seconds is None or self._server.passed_s < one.seconds), None)
        if down is not None and current().is_serving:
            self.tell(down, None)
        return down is not None

    def attempt(self, asked: Callable[[], bytes]) -> Attempt | None:
        """What goes wrong with the next request to it; None for one that counts not, and where nothing can. asked: what
        it asks, of which numbers, ids and times do not count; called only where something can go wrong.
        """
        context = current()
        if not context.is_serving:
            return None
        self._attempts += 1
        turns = None
        if isinstance(context.faults, RequestFaults):
            turns = context.faults.turns(self.name)
        turns = turns or self._turns
        return Attempt(self, turns, self._attempts, self._alike.place(asked())) if turns.faults else None

    def tell(self, fault: Fault, ordinal: int | None) -> None:
        """A fault happens to the current request. ordinal: the place of the attempt among those of the provider."""
        context = current()
        before, told = context.headers.get(TOLD, ""), f"{self.provider_id} {fault.name}"
        if len(before) + len(told) < _LONGEST_TOLD:
            context.headers[TOLD] = f"{before}, {told}" if before else told
        log.info(
            "fault injected",
            extra={
                "request_id": context.request_id,
                "provider": self.name,
                "fault": fault.name,
                "seed": self.seed,
                "ordinal": ordinal,
            },
        )


class Attempt:
    """One request to a provider. wait: what makes it slow; failure: what comes in place of an answer. ordinal: how many
    there have been. place: what is drawn for; see `Alike`.
    """

    def __init__(self, provider: ProviderFaults, turns: Turns, ordinal: int, place: tuple[str, int]) -> None:
        self._provider = provider
        self._turns = turns
        self._ordinal = ordinal
        self._place = place
        self.wait = turns.slowest(provider.seed, provider.name, *place)
        self.failure = turns.one_of(INSTEAD, self._drawn("instead"))

    def spoils(self, *, is_stream: bool) -> Fault | None:
        """What happens to the answer, which has come. is_stream: whether it is one of events, and not JSON."""
        kinds = ("cut-stream", "bad-json") if is_stream else ("bad-json",)
        return self._turns.one_of(kinds, self._drawn("answer"))

    @property
    def events(self) -> int:
        """How many events of a stream pass before it is cut, at most."""
        return 1 + int(self._drawn("events") * _MOST_EVENTS)

    def tell(self, fault: Fault) -> None:
        self._provider.tell(fault, self._ordinal)

    def _drawn(self, what: str) -> float:
        return drawn(self._provider.seed, self._provider.name, *self._place, what)
