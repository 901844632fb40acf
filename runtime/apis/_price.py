"""What the tokens of a model cost, as the catalogue says it and as operators do. Knows no tokens that were counted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

MEMBER = "price"
"""Where a model's metadata has it."""
Rate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""USD a million tokens."""


class Rates(BaseModel):
    """USD a million tokens, of each kind of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Rate | None = Field(None, description="Of the tokens read, USD a million. Default: not known.")
    cached_input: Rate | None = Field(
        None, description="Of those read that the provider had computed before. Default: as of `input`."
    )
    cache_write: Rate | None = Field(
        None, description="Of those read that the provider keeps for later. Default: as of `input`."
    )
    output: Rate | None = Field(None, description="Of the tokens written, USD a million. Default: not known.")
    reasoning: Rate | None = Field(
        None, description="Of those written that were thought, not said. Default: as of `output`."
    )

    @cached_property
    def rates(self) -> Mapping[str, float]:
        """Those that are known, by the kind of tokens."""
        found = {kind: getattr(self, kind) for kind in Rates.model_fields}
        return {kind: rate for kind, rate in found.items() if rate is not None}


class Tier(Rates):
    """The rates of a call that reads much."""

    above: int = Field(
        gt=0, description="Of a call that reads more tokens than this, all of them have this tier's rates."
    )


class Price(Rates):
    """What a model's tokens cost, in USD a million."""

    tiers: tuple[Tier, ...] = Field(
        (), max_length=20, description="Other rates for calls that read much. Default: none."
    )
    source: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Who says so, for whoever asks what a call cost. Default: not said.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.input is None and self.output is None:
            raise PydanticCustomError("no_rate", "says neither `input` nor `output`, in USD a million tokens")
        return self

    def rates_for(self, tokens_read: int) -> Mapping[str, float]:
        """The rates of a call that has read so many tokens."""
        if not self.tiers:
            return self.rates
        above = [tier for tier in self.tiers if tokens_read > tier.above]
        return max(above, key=lambda tier: tier.above).rates if above else self.rates

    def shown(self) -> dict[str, Any]:
        """As a model's metadata has it."""
        return self.model_dump(mode="json", exclude_defaults=True)


def price_in(metadata: Mapping[str, Any]) -> Price | None:
    """The price that a model's metadata states; None for what is none, as an older version may have taken it."""
    try:
        return Price.model_validate(metadata[MEMBER])
    except (KeyError, ValidationError):
        return None


class _Priced(BaseModel):
    price: Price | None


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    if MEMBER not in metadata:
        return metadata
    price = _Priced(price=metadata[MEMBER]).price
    return {name: value for name, value in metadata.items() if name != MEMBER} | (
        {MEMBER: price.shown()} if price else {}
    )


HasPrice = AfterValidator(_checked)
"""For metadata that may state a price: a wrong one is refused with its place, as `metadata.price.input`."""
PRICE_HINT = "`price`, as in `{input: 0.1, output: 0.4}`, in USD a million tokens"
"""For the description of a field that has it."""
