"""Models from Meta's own server, by the signed address that comes by mail once a licence is accepted.

Knows the form of that address, where the server has which model, and the list of checksums beside each. Fetches no
other file.
"""

from __future__ import annotations

import os

from llama_cli.downloads.remote import RemoteFile, RemoteModel, matches
from llama_cli.downloads.web import Refused, Web
from llama_cli.exits import ExitCode, Failure
from llama_cli.weights.checksums import CHECKLIST, Digest, parse_checklist
from llama_cli.weights.paths import checked_path
from runtime.addresses import place_of
from runtime.catalog import CatalogModel

URL_VARIABLE = "LLAMA_META_URL"
_PAGE = "https://www.llama.com/llama-downloads/"
_BESIDE = ("params.json", "tokenizer.model")
"""Part of nearly every model, also where the list leaves them out."""


def signed_url(given: str | None) -> str:
    """The signed address, in which a `*` stands for the path. Raises Failure (USAGE) where there is none."""
    url = (given or os.environ.get(URL_VARIABLE, "")).strip().strip("\"'")
    if not url:
        message = "Meta's server is asked with a signed address, and none is given"
        hint = f"request one at {_PAGE}, and set `{URL_VARIABLE}` to it, or give it with `--url -` on standard input"
        raise Failure(message, hint=hint, code=ExitCode.USAGE)
    if "*" not in url or "://" not in url:
        message = f"`{place_of(url) if '://' in url else url[:40]}` is no signed address of Meta's: it has no `*`"
        hint = "copy it whole, and quote it for the shell: 'https://...llamameta.net/*?Policy=...'"
        raise Failure(message, hint=hint, code=ExitCode.USAGE)
    return url


def remote_model(
    web: Web, url: str, model: CatalogModel, *, name: str, wanted: tuple[str, ...], ignored: tuple[str, ...]
) -> RemoteModel:
    """What Meta's server has of a model. url: the signed address; wanted, ignored: shell patterns; name: of the folder
    here.

    Raises Failure: USAGE for a model that it does not have, ACCESS where the address is of no use, NETWORK for the
    rest.
    """
    if not model.meta_folder:
        hint = f"`llama model download {model.descriptor} --source huggingface`"
        raise Failure(f"Meta's server does not have `{model.descriptor}`", hint=hint, code=ExitCode.USAGE)
    where = url.split("*", 1)[0]

    def at(path: str) -> str:
        return url.replace("*", f"{model.meta_folder}/{path}", 1)

    try:
        text = web.document(at(CHECKLIST)).decode("utf-8", "replace")
        stated = parse_checklist(text)
        paths = [checked_path(path, server=place_of(where)) for path in stated]
        paths += [path for path in (*_BESIDE, CHECKLIST) if path not in stated]
        chosen = [path for path in paths if (not wanted or matches(path, wanted)) and not matches(path, ignored)]
        files = [file for path in chosen if (file := _file(web, at(path), path, stated.get(path))) is not None]
    except Refused as refused:
        raise refusal(refused, model) from refused
    if not files:
        raise Failure(
            f"no file of `{model.descriptor}` is called so", hint=f"it has {', '.join(paths)}", code=ExitCode.USAGE
        )
    return RemoteModel(
        name=name, model_id=model.model_id, source="meta", origin=place_of(at("")), revision=None, files=tuple(files)
    )


def refusal(refused: Refused, model: CatalogModel) -> Failure:
    """The failure that a status of Meta's server is, for the caller to raise."""
    if refused.status in (401, 403, 404, 410):
        message = f"Meta's server refuses the address for `{model.descriptor}`: {refused.status}"
        hint = f"it is valid for 24 hours, and for the models that were asked for: request a new one at {_PAGE}"
        return Failure(message, hint=hint, code=ExitCode.ACCESS)
    return Failure(f"{refused.shown} answered {refused.status}: {refused.words}", code=ExitCode.NETWORK)


def _file(web: Web, url: str, path: str, digest: Digest | None) -> RemoteFile | None:
    """None where neither the list has it nor the server, which answers no HEAD: its size comes with the first byte."""

    def size_bytes() -> int:
        with web.open(url, first=0, last=0) as response:
            if response.status == 206:
                return int(response.headers["Content-Range"].rpartition("/")[2])
            return int(response.headers["Content-Length"])

    try:
        size = web.patiently(size_bytes, url)
    except Refused as refused:
        if digest is None and refused.status in (403, 404):
            return None
        raise
    except (ValueError, TypeError) as error:
        raise Failure(f"{place_of(url)} does not say how large it is", code=ExitCode.NETWORK) from error
    return RemoteFile(path=path, url=url, size_bytes=size, digest=digest)
