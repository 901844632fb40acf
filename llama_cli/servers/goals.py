"""What a server can be waited for to be, as it is typed: `ready`, `settled`, `stopped`, `model=X`, `provider=X`."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from runtime.similar import nearest

_STATES = ("ready", "settled", "stopped")
_NAMED = ("model", "provider")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """kind: one of ready (it answers), settled (each provider has come up or given up), stopped, model (it is served,
    and a request need not wait for it), provider (its health is good). name: of the model, or the provider's id, also
    as `api/id`; empty for the others.
    """

    kind: str
    name: str = ""

    @property
    def words(self) -> str:
        """As it is typed."""
        return f"{self.kind}={self.name}" if self.name else self.kind

    @property
    def what(self) -> str:
        """What is waited for: `ready`, ``model `X` ``."""
        return f"{self.kind} `{self.name}`" if self.name else self.kind

    @property
    def met(self) -> str:
        """What is said of a server that is it: `is ready`, ``serves `X` ``."""
        return f"serves {self._served}" if self.name else f"is {self.kind}"

    @property
    def unmet(self) -> str:
        """The same of one that is not: `is not ready`, ``does not serve `X` ``."""
        return f"does not serve {self._served}" if self.name else f"is not {self.kind}"

    @property
    def never(self) -> str:
        """The same of one that cannot become it: `will not be ready`, ``will not serve `X` ``."""
        return f"will not serve {self._served}" if self.name else f"will not be {self.kind}"

    @property
    def _served(self) -> str:
        return f"with provider `{self.name}`" if self.kind == "provider" else f"`{self.name}`"

    @property
    def is_asked(self) -> bool:
        """Whether the server has to be asked, since its record does not tell."""
        return self.kind in _NAMED


READY = Goal(kind="ready")


def parse_goal(text: str) -> Goal:
    """As typed after `--for` and `--wait`. Raises typer.BadParameter for anything else."""
    kind, equals, name = text.partition("=")
    if kind in _STATES and not equals:
        return Goal(kind=kind)
    if kind in _NAMED and name:
        return Goal(kind=kind, name=name)
    known = ", ".join([f"`{state}`" for state in _STATES] + [f"`{kind}=NAME`" for kind in _NAMED])
    close = nearest(kind, [*_STATES, *_NAMED])
    raise typer.BadParameter(f"`{text}` is not one of {known}" + (f"; did you mean `{close[0]}`?" if close else ""))
