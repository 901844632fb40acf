"""Log levels by category: which loggers a word means, and where the words come from."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from runtime.errors import ConfigInvalid
from runtime.server.log_levels import levels_in, loggers_of, set_levels


@pytest.mark.parametrize(
    ("category", "loggers"),
    [
        ("all", ("runtime",)),
        ("server", ("runtime.server",)),
        ("router", ("runtime.routing",)),
        ("Routing", ("runtime.routing",)),
        ("engine", ("runtime.engine",)),
        ("providers", ("runtime.providers",)),
        ("inference", ("runtime.providers.inference",)),
        ("providers/inference", ("runtime.providers.inference",)),
        ("providers::inference", ("runtime.providers.inference",)),
        ("providers/inference/meta_reference", ("runtime.providers.inference.meta_reference",)),
        ("telepathy", ()),
        ("", ()),
        ("../tests", ()),
        ("inference/", ()),
    ],
)
def test_a_category_is_a_part_of_the_house(category: str, loggers: tuple[str, ...]) -> None:
    assert loggers_of(category) == loggers


def test_core_is_what_stands_in_no_folder() -> None:
    core = loggers_of("core")
    assert {"runtime.stack", "runtime.discovery"} <= {*core}
    assert not {"runtime.server", "runtime.routing", "runtime.providers", "runtime.engine"} & {*core}


@pytest.mark.parametrize(
    ("environment", "levels"),
    [
        ({}, {}),
        ({"LLAMA_STACK_LOGGING": ""}, {}),
        ({"LLAMA_STACK_LOGGING": "all=DEBUG; routing = warning ;"}, {"all": "debug", "routing": "warning"}),
        ({"OGX_LOGGING": "server=error"}, {"server": "error"}),
        ({"OGX_LOGGING": "server=error", "LLAMA_STACK_LOGGING": "all=info"}, {"all": "info"}),
    ],
)
def test_levels_come_from_a_variable(environment: dict[str, str], levels: dict[str, str]) -> None:
    assert levels_in(environment) == levels


def test_every_part_of_a_variable_that_is_no_level_is_told() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        levels_in({"OGX_LOGGING": "all=loud;debug;=info;server=info"})
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("OGX_LOGGING", f"`{part}` is not category=level") for part in ("all=loud", "debug", "=info")
    ]


@pytest.fixture
def levels_as_they_were() -> Iterator[None]:
    names = ("runtime", "runtime.routing", "runtime.server")
    before = [logging.getLogger(name).level for name in names]
    yield
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("levels_as_they_were")
def test_one_category_is_an_exception_from_all() -> None:
    assert set_levels({"routing": "debug", "all": "error", "telepathy": "info"}) == ["telepathy"]
    quiet, loud = logging.getLogger("runtime.server.anything"), logging.getLogger("runtime.routing.table")
    assert (quiet.getEffectiveLevel(), loud.getEffectiveLevel()) == (logging.ERROR, logging.DEBUG)
