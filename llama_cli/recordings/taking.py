"""Takes recordings of llama-stack and ogx into a folder of ours. Which provider was asked is found by its address, by
the name of the test, or said by whoever imports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from llama_cli.exits import ExitCode, Failure
from llama_cli.recordings.stored import model_of
from runtime import discovery
from runtime.recording import used
from runtime.recording.documents import Recording
from runtime.recording.hiding import Hiding
from runtime.recording.library import Library
from runtime.recording.manifest import PLACEHOLDER, Manifest
from runtime.recording.older import NotImported, imported, united
from runtime.redaction import is_secret

_HERE = "localhost"
_ENDINGS = ("/chat/completions", "/completions", "/embeddings", "/models", "/responses", "/rerank")


@dataclass
class Taken:
    """What has been read. left_out: why, for each file that becomes no recording. made_lists: the providers whose list
    of models was not there, and has been made of the models that they were asked.
    """

    recordings: list[Recording] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    made_lists: list[str] = field(default_factory=list)
    files: int = 0

    @property
    def count(self) -> int:
        """How many recordings were there."""
        return len(self.recordings) - len(self.made_lists)


class Vendors:
    """Whose an address is. given: `PROVIDER`, or `HOST=PROVIDER`, as somebody has said. Raises Failure (USAGE) for what
    is neither.
    """

    def __init__(self, given: Sequence[str]) -> None:
        self._by_host = dict[str, str]()
        self._other: str | None = None
        for one in given:
            host, equals, provider = one.rpartition("=")
            if not provider or (equals and not host):
                hint = "as in `--provider vllm`, or `--provider gpu.example:8000=vllm`"
                raise Failure.of_option("--provider", f"`{one}` names no provider", hint=hint)
            if equals:
                self._by_host[_near(host)] = provider
            else:
                self._other = provider
        self._specs = {spec.name: spec for spec in discovery.built_in().specs if spec.api == "inference"}
        self._usual = dict[str, str]()
        for name, spec in self._specs.items():
            if address := getattr(spec.facts, "base_url", None):
                self._usual.setdefault(_near(urlsplit(address).netloc), name)

    def named(self, server: str, test: str, model: str) -> str | None:
        """The id of the provider that was asked; None where nothing says it."""
        host = _near(urlsplit(server).netloc)
        return self._by_host.get(host) or _of_test(test, model) or self._usual.get(host) or self._other

    def variables(self, recordings: Sequence[Recording]) -> dict[str, str]:
        """What has to be set in a replay for these providers to be on, by the templates."""
        found = dict[str, str]()
        for recording in recordings:
            spec = self._specs.get(recording.provider.rpartition("/")[2])
            if spec is not None and spec.enabled_by:
                is_key = is_secret(spec.enabled_by) or not recording.request.get("server")
                value = PLACEHOLDER if is_key else _base(recording)
                found.setdefault(spec.enabled_by, value)
        return found


def take(source: Path, vendors: Vendors) -> Taken:
    """Read a file, or all below a folder. Raises Failure: USAGE where nothing is there, CONFIG where none of it is a
    recording.
    """
    taken, lists = Taken(), defaultdict[str, list[Recording]](list)
    hiding = Hiding()
    for path in _files(source):
        name = path.relative_to(source).as_posix() if path != source else path.name
        taken.files += 1
        try:
            one = imported(path.read_bytes(), named=vendors.named)
        except NotImported as why:
            taken.left_out[name] = str(why)
            continue
        recording = one.recording
        recording.request, recording.answer = hiding.request(recording.request), hiding.answer(recording.answer)
        recording.scope = hiding.text(recording.scope)
        if one.models:
            lists[f"{recording.provider} {recording.request['path']}"].append(recording)
        else:
            taken.recordings.append(recording)
    taken.recordings += map(united, lists.values())
    _make_lists(taken)
    if not taken.recordings and not taken.left_out:
        hint = "name the folder `recordings`, or one above it, of a suite of llama-stack or ogx"
        raise Failure(f"`{source}` holds no recordings", hint=hint, code=ExitCode.CONFIG)
    return taken


def keep(taken: Taken, folder: Path, vendors: Vendors) -> list[Path]:
    """Write them, in place of those of the same requests. What is used has to be noted anew then, or those that are new
    would count as unused. Raises OSError, RecordingError.
    """
    library = Library(folder)
    kept = [path for one in taken.recordings if (path := library.keep(one)) is not None]
    manifest = Manifest.read(folder) or Manifest({}, {})
    manifest.variables = vendors.variables(taken.recordings) | manifest.variables
    manifest.write(folder)
    used.forget(folder)
    return kept


def by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """The files of each reason, those of the most first."""
    found = defaultdict[str, list[str]](list)
    for name, why in left_out.items():
        found[why].append(name)
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))


def _files(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from sorted(path for path in source.rglob("*.json") if path.is_file())
    else:
        yield source


def _of_test(test: str, model: str) -> str | None:
    """The provider in the name of a test, as in `test_x[txt=ollama/llama3.2:3b]`, where that is of the model."""
    before, found, _ = test.partition(f"/{model}") if model else ("", "", "")
    name = before.rpartition("=")[2]
    return name if found and name and name.replace("-", "").replace("_", "").isalnum() else None


def _near(netloc: str) -> str:
    """A host with its port; this machine by one name."""
    host, _, port = netloc.rpartition("@")[2].partition(":")
    return f"{_HERE}:{port}" if host in ("0.0.0.0", "127.0.0.1", _HERE) else netloc  # noqa: S104  # compared, not bound


def _make_lists(taken: Taken) -> None:
    """Without a list of its models no provider is asked anything in a replay."""
    listed = {one.provider for one in taken.recordings if one.request["method"] == "GET"}
    made: dict[str, Recording] = {}
    for one in taken.recordings:
        model = model_of(one)
        if one.provider in listed or model is None or not one.provider.startswith("inference/"):
            continue
        request = {"method": "GET", "server": one.request["server"], "path": f"{_base_path(one)}/models"}
        empty = {"status": 200, "headers": {"content-type": "application/json"}, "json": {"object": "list", "data": []}}
        entries = made.setdefault(one.provider, Recording(provider=one.provider, request=request, answer=empty))
        entry = {"id": model, "object": "model", "created": 0, "owned_by": one.provider.rpartition("/")[2]}
        if entry not in entries.answer["json"]["data"]:
            entries.answer["json"]["data"].append(entry)
    taken.recordings += made.values()
    taken.made_lists += made


def _base(recording: Recording) -> str:
    """The address of a provider."""
    return f"{recording.request['server']}{_base_path(recording)}"


def _base_path(recording: Recording) -> str:
    path = str(recording.request["path"])
    for ending in _ENDINGS:
        path = path.removesuffix(ending)
    return path
