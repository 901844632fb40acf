"""Models of the Hugging Face hub, or of a mirror that speaks its API.

Knows the API (https://huggingface.co/docs/hub/api), its words for refusals, where its own library keeps a token, and
which of a repository's files are the model. Fetches no file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from llama_cli.downloads.remote import RemoteFile, RemoteModel, matches
from llama_cli.downloads.web import Refused, Web, origin_of
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import words
from llama_cli.weights.checksums import Digest
from llama_cli.weights.paths import checked_path
from runtime.addresses import is_local, place_of
from runtime.catalog import CatalogModel, known_names
from runtime.catalog.hub_cache import hub_home
from runtime.config.home import expanded
from runtime.similar import did_you_mean

ENDPOINT = "https://huggingface.co"
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_SAME_WEIGHTS = (
    *("original/", "*.bin", "*.pth", "*.pt", "*.h5", "*.msgpack", "*.ot", "*.onnx", "*.onnx_data", "*.gguf"),
    *("onnx/", "openvino/", "coreml/", "consolidated*.safetensors"),
)
"""The same weights once more, in other forms, where a repository has them as safetensors."""
_NEVER = (".gitattributes", ".gitignore", "*.md5")
_SHOWN_CHOICES = 6


def endpoint(given: str | None) -> str:
    """The hub's address: as given, else that of `HF_ENDPOINT`, else Hugging Face's own. Raises Failure (USAGE) for what
    is none.
    """
    address = (given or os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    origin_of(address)
    if urlsplit(address).username is not None:
        # Not shown, since it can hold a password.
        message = "the address of a hub takes no user and password"
        raise Failure(message, hint=f"a token is taken from `{TOKEN_VARIABLES[0]}`", code=ExitCode.USAGE)
    return address


def is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None


def token() -> str | None:
    """The user's token: of the environment, else of the file that `hf auth login` writes.

    Raises Failure (ACCESS) for characters that no token has.
    """
    for variable in TOKEN_VARIABLES:
        if found := os.environ.get(variable, "").strip():
            return _checked_token(found, f"`{variable}`")
    file = expanded(os.environ.get("HF_TOKEN_PATH") or f"{hub_home()}/token")
    try:
        return _checked_token(file.read_text(encoding="utf-8").strip(), f"`{file}`") or None
    except (OSError, UnicodeDecodeError):
        return None


def authorization(address: str) -> dict[str, str]:
    """The header's value for the configured hub alone; nothing without a token, nor where others on the way could read
    it. Raises Failure as `token` and `endpoint` do.
    """
    found = None if _before_token(address) else token()
    return {origin_of(address): f"Bearer {found}"} if found else {}


def _before_token(address: str) -> str | None:
    """What must change before this hub may have the token, as an instruction; None where nothing must. Like the hub's
    own library, we send it to the configured hub alone: an address in a command may be copied from anywhere.
    """
    try:
        is_configured = origin_of(address) == origin_of(endpoint(None))
    except Failure:  # what is configured is no address, and this one was given
        is_configured = False
    if not is_configured:
        return f"set `HF_ENDPOINT` to {place_of(address)}, since a token goes to that hub alone"
    if urlsplit(address).scheme != "https" and not is_local(urlsplit(address).hostname or ""):
        return "use an `https` address, since a token goes over TLS alone"
    return None


def remote_model(
    web: Web,
    address: str,
    repository: str,
    *,
    known: CatalogModel | None,
    name: str,
    revision: str,
    wanted: Sequence[str],
    ignored: Sequence[str],
) -> RemoteModel:
    """What a repository offers at a revision. known: the model of the catalog that it is; name: of the folder here.
    wanted, ignored: shell patterns; without wanted ones, the files that the model needs.

    Raises Failure: USAGE for what there is not and where a choice is needed, ACCESS where there is no right to it,
    NETWORK for the rest.
    """
    url = f"{address}/api/models/{quote(repository)}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        stated = json.loads(web.document(url))
        commit, siblings = str(stated["sha"]), stated["siblings"]
        files = [_file(address, repository, commit, sibling) for sibling in siblings]
    except Refused as refused:
        raise refusal(refused, address, repository, revision) from refused
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{place_of(url)} answered with something that is no list of a model's files"
        raise Failure(message, hint="is that the address of a hub?", code=ExitCode.NETWORK) from error
    chosen = _chosen(files, repository, wanted, ignored)
    return RemoteModel(
        name=name,
        model_id=known.model_id if known else repository,
        source="huggingface",
        origin=f"{address}/{repository}",
        revision=commit,
        files=tuple(chosen),
    )


def refusal(refused: Refused, address: str, repository: str, revision: str) -> Failure:
    """The failure that a status is, for the caller to raise. address: of the hub, which leads to other servers: what
    they refuse is no word about the repository.
    """
    answered = Failure(f"{refused.shown} answered {refused.status}: {refused.words}", code=ExitCode.NETWORK)
    if not refused.code and not refused.shown.startswith(f"{address}/"):
        return answered
    page = f"{ENDPOINT}/{repository}"
    variable = TOKEN_VARIABLES[0]
    has_token = bool(authorization(address))
    with_token = _before_token(address) or f"set `{variable}`"
    if refused.code == "GatedRepo" or refused.status == 403:
        message = f"`{repository}` is open only to those who have accepted its licence"
        with_new = _before_token(address) or f"set `{variable}` to a token of {ENDPOINT}/settings/tokens"
        hint = f"accept it at {page}, then {with_new}"
        if has_token:
            message += ", and your token's account has not, or is not let in yet"
            hint = f"accept it at {page} with that account; the token needs the right to read gated repositories"
        return Failure(message, hint=hint, code=ExitCode.ACCESS)
    if refused.code == "RevisionNotFound":
        message = f"`{repository}` has no revision `{revision}`"
        return Failure(message, hint=f"see {page}/tree/main", code=ExitCode.USAGE)
    if refused.code == "EntryNotFound":
        return Failure(f"{refused.shown} is gone", hint="the same command again asks anew", code=ExitCode.NETWORK)
    if refused.status == 401 and has_token and refused.code != "RepoNotFound":
        message = f"the hub does not take your token: {refused.words}"
        return Failure(message, hint=f"set `{variable}` to one of {ENDPOINT}/settings/tokens", code=ExitCode.ACCESS)
    if refused.status in (401, 404):
        private = "" if has_token else f"; for a private one, {with_token}"
        hint = did_you_mean(repository, [name for name in known_names() if "/" in name]) or f"see {ENDPOINT}/models"
        message = f"the hub has no model `{repository}`"
        return Failure(message, hint=hint + private, code=ExitCode.USAGE)
    if refused.status == 429:
        hint = "wait five minutes" if has_token else f"wait five minutes, or {with_token}: the limits are higher"
        return Failure("the hub limits how often it is asked", hint=hint, code=ExitCode.NETWORK)
    return answered


def _file(address: str, repository: str, commit: str, stated: Any) -> RemoteFile:
    lfs = stated.get("lfs")
    path, size_bytes = stated["rfilename"], (lfs or stated)["size"]
    if not (isinstance(path, str) and type(size_bytes) is int and size_bytes >= 0):
        raise ValueError(path, size_bytes)
    checked_path(path, server=address)
    digest = Digest("sha256", str(lfs["sha256"]).lower()) if lfs else None
    if digest is None and stated.get("blobId"):
        digest = Digest("git", str(stated["blobId"]).lower())
    url = f"{address}/{quote(repository)}/resolve/{quote(commit, safe='')}/{quote(path)}"
    return RemoteFile(path=path, url=url, size_bytes=size_bytes, digest=digest)


def _chosen(
    files: list[RemoteFile], repository: str, wanted: Sequence[str], ignored: Sequence[str]
) -> list[RemoteFile]:
    left = [file for file in files if not matches(file.path, (*_NEVER, *ignored))]
    if wanted:
        chosen = [file for file in left if matches(file.path, wanted)]
        if not chosen:
            said = words.some([f"`{file.path}`" for file in left], _SHOWN_CHOICES)
            hint = f"it has {said}" if left else "nothing is left"
            message = f"no file of `{repository}` is called like {' or '.join(f'`{each}`' for each in wanted)}"
            raise Failure(message, hint=hint, code=ExitCode.USAGE)
        return chosen
    if any("/" not in file.path and file.path.endswith(".safetensors") for file in left):
        left = [file for file in left if not matches(file.path, _SAME_WEIGHTS)]
    ggufs = [file for file in left if file.path.endswith(".gguf") and "mmproj" not in file.path.lower()]
    if len(ggufs) > 1:
        said = words.some([f"`{file.path}` ({words.size(file.size_bytes)})" for file in ggufs], _SHOWN_CHOICES)
        example = next((file for file in ggufs if "q4_k_m" in file.path.lower()), ggufs[0])
        message = f"`{repository}` has {len(ggufs)} GGUF files: {said}"
        raise Failure(message, hint=f"choose with `--files '{example.path}'`", code=ExitCode.USAGE)
    if not left:
        raise Failure(f"`{repository}` has no files", code=ExitCode.USAGE)
    return left


def _checked_token(found: str, place: str) -> str:
    if not (found.isascii() and found.isprintable()) or " " in found:
        hint = "look for a line feed or a quote that was copied with it"
        raise Failure(f"{place} holds characters that no token has", hint=hint, code=ExitCode.ACCESS)
    return found
