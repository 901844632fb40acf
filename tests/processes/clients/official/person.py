"""PERSON_SCHEMA as a pydantic model, for the clients that take one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Person(BaseModel):
    """A person."""

    name: str = Field(min_length=1, max_length=12)
    age: int = Field(ge=0, le=120)
    traits: list[Literal["kind", "busy", "tall"]] = Field(min_length=1, max_length=2)
