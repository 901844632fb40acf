"""What `download` asks for and what comes of it: which source has the model, what is here already, and the rest.

Knows the catalog, both sources and the words. Knows no Typer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal

from llama_cli.downloads import hub, meta
from llama_cli.downloads.remote import RemoteModel
from llama_cli.downloads.transfer import Transfer
from llama_cli.downloads.web import Refused, Web
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import working
from llama_cli.weights.checksums import Digest, digests
from llama_cli.weights.importing import checked_name
from llama_cli.weights.manifest import FileRecord, Manifest, read_manifest
from llama_cli.weights.paths import check_apart
from runtime.catalog import CatalogModel, find, get
from runtime.catalog.on_disk import stored_folder
from runtime.config.home import models_dir

_OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_READ_AGAIN_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class Request:
    """url: the hub's address or Meta's signed one, None for that of the environment. wanted, ignored: shell patterns of
    files. parallel: connections at once.
    """

    source: Literal["huggingface", "meta"] = "huggingface"
    url: str | None = None
    revision: str = "main"
    wanted: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    parallel: int = 4
    is_offline: bool = False
    is_dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A model to download. model: as asked for; known: what the catalog has of it; called: its folder's name here."""

    model: str
    known: CatalogModel | None
    called: str


def wanted_models(models: Iterable[str], request: Request, *, name: str | None = None) -> list[Wanted]:
    """What is meant by names, before anything is asked for. name: of the folder of the only one.

    Raises Failure (USAGE) for names that cannot be, two of one folder included, and NotFound for an unknown name of the
    catalog.
    """
    found: dict[str, Wanted] = {}
    for model in dict.fromkeys(models):
        known = find(model)
        if known is None and (request.source == "meta" or not hub.is_repository(model)):
            get(model)  # raises with the nearest names
        called = checked_name(name or (known.folder_name if known else model.rpartition("/")[2]))
        if (other := found.get(called.lower())) is not None:
            message = f"`{other.model}` and `{model}` would both be called `{called}`"
            raise Failure(message, hint="download one of them alone, with `--name`", code=ExitCode.USAGE)
        found[called.lower()] = Wanted(model=model, known=known, called=called)
    return list(found.values())


def download(wanted: Wanted, request: Request) -> dict[str, Any]:
    """Download a model and return what `--json` says of it.

    Raises Failure: USAGE for a model that the source does not have, ACCESS, NETWORK, CONFLICT where another model has
    the name, FAILED for a full disk or a wrong checksum.
    """
    called = wanted.called
    _refuse_offline(wanted.model, request)
    remote, web, refusal = _ask(wanted, request)
    check_apart([file.path for file in remote.files], server=remote.origin)
    transfer = Transfer(remote=remote, models=models_dir(), web=web, parallel=request.parallel, refusal=refusal)
    folder = models_dir() / called
    there = read_manifest(folder) if folder.exists() else None
    if folder.exists() and not (there and _is_same(folder, there, remote)):
        hint = f"call this one otherwise with `--name`, or first `llama model remove {called}`"
        message = f"`{called}` is there already, from elsewhere or with other files: `{folder}`"
        raise Failure(message, hint=hint, code=ExitCode.CONFLICT)
    if there is not None:
        console.say(f"`{called}` is there already")
        return _result(remote, "already_there", come_bytes=0)
    missing_bytes = remote.size_bytes - transfer.come_bytes()
    if request.is_dry_run:
        transfer.check()
        console.say(f"would download {words.size(missing_bytes)} of `{called}`")
        return _result(remote, "would_download", come_bytes=missing_bytes)
    with working(f"downloading {called}", total=remote.size_bytes, unit="bytes") as step:
        step.done = remote.size_bytes - missing_bytes  # at once, or its jump looks like a rate
        try:
            transfer.run(step)
        except KeyboardInterrupt:
            hint = "what has come is kept: the same command goes on from there"
            raise Failure("interrupted", hint=hint, code=ExitCode.INTERRUPTED) from None
    console.say(f"downloaded `{called}` ({words.size(remote.size_bytes)}), checksums right")
    return _result(remote, "downloaded", come_bytes=missing_bytes)


def _ask(wanted: Wanted, request: Request) -> tuple[RemoteModel, Web, Callable[[Refused], Failure]]:
    """What the source has of the model, how its files are asked for, and what its refusals are."""
    called, known = wanted.called, wanted.known
    if request.source == "meta":
        from_meta = known or get(wanted.model)
        signed = meta.signed_url(request.url)
        with working(f"asking Meta's server for {called}") as step:
            web = Web(authorization={}, given_up=Event(), waits=step.tell)
            remote = meta.remote_model(
                web, signed, from_meta, name=called, wanted=request.wanted, ignored=request.ignored
            )
        return remote, web, lambda refused: meta.refusal(refused, from_meta)
    address = hub.endpoint(request.url)
    repository = known.hub_repo if known else wanted.model
    authorization = hub.authorization(address)
    with working(f"asking the hub for {repository}") as step:
        web = Web(authorization=authorization, given_up=Event(), waits=step.tell)
        remote = hub.remote_model(
            web,
            address,
            repository,
            known=known,
            name=called,
            revision=request.revision,
            wanted=request.wanted,
            ignored=request.ignored,
        )
    return remote, web, lambda refused: hub.refusal(refused, address, repository, request.revision)


def _refuse_offline(model: str, request: Request) -> None:
    variable = next((name for name in _OFFLINE_VARIABLES if _is_on(os.environ.get(name, ""))), "")
    if not (request.is_offline or variable):
        return
    by = "`--offline`" if request.is_offline else f"`{variable}`"
    here = stored_folder(models_dir(), model)
    hint = f"it is here already: `{here}`" if here else "see what is here: `llama model list --downloaded`"
    raise Failure(f"{by} forbids to download `{model}`", hint=hint, code=ExitCode.NETWORK)


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on")


def _is_same(folder: Path, there: Manifest, remote: RemoteModel) -> bool:
    """Whether what is here is what the source has: the same files, with the digests that it states."""
    here = {file.path: file for file in there.files}
    return here.keys() == {file.path for file in remote.files} and all(
        here[file.path].size_bytes == file.size_bytes and _is_same_file(folder, here[file.path], file.digest)
        for file in remote.files
    )


def _is_same_file(folder: Path, here: FileRecord, stated: Digest | None) -> bool:
    """By what is recorded; else by reading it, where that takes no time."""
    if stated is None or (stated.kind != "sha256" and here.size_bytes > _READ_AGAIN_BYTES):
        return True
    if stated.kind == "sha256":
        return stated.value == here.sha256
    file = folder / here.path
    return file.is_file() and digests(file, {stated.kind})[stated.kind] == stated.value


def _result(remote: RemoteModel, result: str, *, come_bytes: int) -> dict[str, Any]:
    return {
        "name": remote.name,
        "model_id": remote.model_id,
        "source": remote.source,
        "origin": remote.origin,
        "revision": remote.revision,
        "folder": str(models_dir() / remote.name),
        "size_bytes": remote.size_bytes,
        "downloaded_bytes": come_bytes,
        "result": result,
        "files": [{"path": file.path, "size_bytes": file.size_bytes} for file in remote.files],
    }
