"""Whether a server could start from a run config with what was chosen for it, as far as that is known without it: found
before anything is built for it, or another server is stopped.

Reads the run config, folders of models and this machine's ports. Builds, writes and starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llama_cli.servers.choices import Choices
from llama_cli.servers.records import Record
from llama_cli.terminal import console
from runtime import ports
from runtime.config.home import models_dir
from runtime.errors import ConfigInvalid, Conflict
from runtime.similar import suggestion

if TYPE_CHECKING:
    from runtime.config.run_config import RunConfig
    from runtime.stack.plan import Plan


def planned_for_start(choices: Choices, run: RunConfig, environment: Mapping[str, str], *, file: str | None) -> Plan:
    """As the server itself will plan it. Raises ConfigInvalid for what it would refuse, and where a provider would have
    none of its models; other models that are not here are warnings.
    """
    from runtime.config.choices import with_own_models, without_providers
    from runtime.config.exposure import check_exposure
    from runtime.faults.parsing import check_providers, read_faults
    from runtime.stack.plan import check_required, plan
    from runtime.stack.weights import lacking_weights

    run = without_providers(run, choices.without)
    if choices.models or choices.require_gpu:
        run, _ = with_own_models(run, choices.models, require_gpu=choices.require_gpu)
    planned = plan(run, file=file)
    check_required(choices.require, planned)
    names = [f"{one.api}/{one.provider_id}" for one in planned.providers]
    check_providers(read_faults(choices.inject), names, planned.turned_on_by())
    check_exposure(choices.host, run.server)
    lacking = lacking_weights(planned, run, models_dir(environment), file=file)
    if lacking.every:
        raise ConfigInvalid(lacking.every, what="run config")
    for problem in lacking.some:
        console.warn(str(problem))
    return planned


def warn_of_unread(given: Sequence[str], text: str, environment: Mapping[str, str], *, name: str) -> None:
    """Variables that were given for a server, that its run config does not read, and that are like one that it does.
    text: the run config; name: the distribution's.
    """
    if not given:
        return
    from llama_cli.configs.variables import unread
    from runtime.config.loading import read_tree
    from runtime.config.mentions import mentions

    read = {one.variable for one in mentions(read_tree(text, env={}))}
    concerned = {each: environment[each] for each in {*given, *read} & environment.keys()}
    for variable, meant in unread(read, concerned).items():
        if variable in given and meant:
            console.warn(f"`{name}` reads no `{variable}`: {suggestion(meant)}")


def check_port(choices: Choices, run: RunConfig, *, former: Record | None) -> None:
    """Raises Conflict where another process has the port. former: the server whose place the new one takes."""
    host, port = choices.host or run.server.host, run.server.port if choices.port is None else choices.port
    if port == 0 or (former is not None and former.alive and former.port == port):
        return
    if (error := ports.taken(host, port)) is not None:
        raise Conflict(error, hint=ports.TAKEN_HINT)
