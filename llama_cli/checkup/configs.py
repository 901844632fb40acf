"""The run configs: whether each is valid, which variables nothing reads, and whether its models fit into memory.

Knows what `llama stack validate` and `llama stack env` know; imports them when asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cli.checkup.findings import Check, Distribution, Finding, Patient, error, ok, warning
from llama_cli.terminal import words
from runtime import allowance
from runtime.errors import StackError

if TYPE_CHECKING:
    from runtime.config.run_config import RunConfig

_NEEDED = 1.2
"""Memory for each byte of a model's file: the weights, and room to work."""
_OF_A_SERVER = "--model"
"""In place of a provider's id: the option with which a server was started."""


def valid(patient: Patient) -> Iterator[Finding]:
    """Each problem and each warning of each run config."""
    from llama_cli.configs.checks import check_config

    for each in patient.distributions:
        fix = f"llama stack validate {each.target}"
        try:
            checked = check_config(each.target, patient.environment)
        except StackError as problem:
            yield error("config/missing", f"`{each.name}`: {problem.message}", about=each.name, fix=problem.hint)
            continue
        for found in checked.findings:
            place = f"{checked.shown}:{found.problem.line}" if found.problem.line else checked.shown
            where = f" ({found.problem.path})" if found.problem.path else ""
            said = f"{place}: {found.problem.message}{where}"
            make = error if found.kind == "invalid" else warning
            yield make(f"config/{found.kind}", said, about=each.name, cause=found.problem.hint, fix=fix)
        if not checked.findings:
            yield ok("config/ok", f"{checked.shown} is valid", about=each.name)


def variables(patient: Patient) -> Iterator[Finding]:
    """Variables that are set, look meant for us, and are read by none of the run configs."""
    from llama_cli.configs.text import config_text
    from llama_cli.configs.variables import known_to_providers, unread
    from runtime.config.loading import read_tree
    from runtime.config.mentions import mentions
    from runtime.similar import suggestion

    read: set[str] = set()
    for each in patient.distributions:
        try:
            config = config_text(each.target, patient.environment)
            tree = read_tree(config.text, file=config.shown, env=patient.environment)
        except StackError:
            continue  # said by `valid`
        read |= {one.variable for one in mentions(tree)}
    if not read:
        return
    stray = unread(read, patient.environment)
    for name, meant in stray.items():
        types = ", ".join(known_to_providers().get(name, ()))
        cause = suggestion(meant) or f"{types} would read it, and no distribution has such a provider"
        fix = f"export {meant[0]}=..." if meant else f"unset {name}"
        yield warning("variables/unread", f"`{name}` is set, and nothing reads it", about=name, cause=cause, fix=fix)
    if not stray:
        yield ok("variables/ok", "no variable is set that looks meant for us and is read by nothing")


def models(patient: Patient) -> Iterator[Finding]:
    """Models that our own engine is to load, beside the memory that there is."""
    total = allowance.memory().total_bytes
    for each in patient.distributions:
        for provider_id, path in _own_models(each, patient.environment):
            size = _size(path)
            if size is None and provider_id != _OF_A_SERVER:
                continue  # said by `valid`, with its line
            if size is None:
                said = f"`{each.name}`: the model of `{provider_id}`, `{path}`, is not there"
                fix = f"llama stack run {each.target} --model PATH"
                yield error("models/missing", said, about=each.name, fix=fix)
            elif total is not None and size * _NEEDED > total:
                said = f"`{each.name}`: `{path.name}` ({words.size(size)}) does not fit into {words.size(total)}"
                fix = "take a smaller or a quantized model, or serve it elsewhere"
                yield warning("models/large", said, about=each.name, cause="it is loaded whole", fix=fix)
            else:
                yield ok("models/ok", f"`{each.name}`: `{path.name}`, {words.size(size)}", about=each.name)


def run_config(each: Distribution, environment: Mapping[str, str]) -> RunConfig:
    """As it is read for a build. Raises StackError for one that is not there or not valid."""
    from llama_cli.configs.text import config_text
    from llama_cli.packages.known import known
    from runtime.stack.plan import read_run_config

    config = config_text(each.target, environment)
    found = known(environment, each.folder)
    return read_run_config(config.shown, environment, text=config.text, to_build=True, find_world=found)


def _own_models(each: Distribution, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The providers of ours that are on, with the files that they load; a name that comes with us is no file."""
    from runtime.stack.plan import plan

    try:
        run = run_config(each, environment)
        planned = plan(run)
    except StackError:
        return
    for provider in planned.providers:
        model: Any = getattr(provider.config, "model", None)
        if provider.spec.kind == "inline" and isinstance(model, (str, Path)) and "/" in str(model):
            path = Path(model).expanduser()
            if path.is_absolute():
                yield provider.provider_id, path
    for name in (name for server in each.servers for name in server.options.get("models") or ()):
        if Path(str(name)).is_absolute():
            yield _OF_A_SERVER, Path(str(name))


def _size(path: Path) -> int | None:
    """Of the file, or of all weights in the folder; None where it is not there."""
    if path.is_file():
        return path.stat().st_size
    if not path.is_dir():
        return None
    weights = (file for kind in ("*.safetensors", "*.pth", "*.gguf", "*.bin") for file in path.glob(kind))
    return sum(file.stat().st_size for file in weights)


CHECKS = (
    Check(name="config", ask=valid, limit_s=30),
    Check(name="variables", ask=variables, limit_s=30),
    Check(name="models", ask=models, limit_s=30),
)
