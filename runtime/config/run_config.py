"""A run config in its one current shape, whichever system and version wrote the file.

Knows names, types and defaults. Does not read files or variables (`loading`), and does not know which APIs and
providers exist (`plan`). Relative paths (`db_path` of a backend) are relative to the server's state folder, so a
rendered file does not depend on a machine's folders. Older shapes are converted before; every key that a file may have
is a field here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from runtime import discovery
from runtime.config import requirement
from runtime.config.document import Node
from runtime.config.external import External
from runtime.config.reading import as_warning
from runtime.config.safety import SafetyConfig
from runtime.config.sections import LoggingConfig, ServerConfig, TelemetryConfig
from runtime.config.substitution import Use
from runtime.discovery import World
from runtime.errors import Problem
from runtime.redaction import redact
from runtime.storage.placement import StorageConfig
from runtime.storage.settings import Section


class ProviderSection(Section):
    """A provider as the file has it."""

    provider_id: str = Field("", description="Empty or `__disabled__`: off.")
    provider_type: str = Field(description="`inline::name` or `remote::name`.", min_length=1)
    config: dict[str, Any] = Field(default_factory=dict, description="What the provider's own config model checks.")
    module: Annotated[str, AfterValidator(requirement.checked)] | None = Field(
        None,
        description="The package that brings an external provider: its name, or a requirement such as `name==1.0`.",
    )


class ProviderEntry(BaseModel):
    """One provider of the run config. path, line: where it stands. config: checked in `plan` by the provider's model.

    enabled_by: the variables in its `provider_id`, which turn it on. If the provider is off, provider_id is the id that
    it would have, or empty if the file does not give one.
    """

    model_config = ConfigDict(defer_build=True)

    api: str
    provider_id: str
    provider_type: str
    module: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    path: str = ""
    line: int | None = None
    enabled_by: tuple[str, ...] = ()

    _node: Node = PrivateAttr(default_factory=lambda: Node({}))
    _config_node: Node = PrivateAttr(default_factory=lambda: Node({}))

    @property
    def node(self) -> Node:
        """All of it, as it was read."""
        return self._node

    @property
    def config_node(self) -> Node:
        """`config` with its lines and original texts, for `validation.check`."""
        return self._config_node

    def with_config(self, **changes: str | None) -> ProviderEntry:
        """A copy with other settings, chosen on the command line; None leaves a setting out."""
        nodes = {**(self._config_node.mapping or {}), **{name: Node(text, text=text) for name, text in changes.items()}}
        entry = self.model_copy(update={"config": {**self.config, **changes}})
        entry._config_node = Node(nodes, self._config_node.path, self._config_node.line)
        return entry

    @classmethod
    def from_node(cls, node: Node, *, config_node: Node, **fields: Any) -> ProviderEntry:
        entry = cls(path=node.path, line=node.line, config=config_node.plain(), **fields)
        entry._node, entry._config_node = node, config_node
        return entry


class ResourceEntry(BaseModel):
    """One resource of `registered_resources`, as in the file; `plan` checks it by the model of its kind.

    path, line: its place in the file; in a file of an older shape, the path has the older name.
    """

    model_config = ConfigDict(defer_build=True)

    values: dict[str, Any]
    path: str = ""
    line: int | None = None

    _node: Node = PrivateAttr(default_factory=lambda: Node({}))

    @property
    def node(self) -> Node:
        """`values` with their lines and original texts, for `validation.check`."""
        return self._node

    def line_of(self, key: str) -> int | None:
        """The line of a key; the line of the resource if it has no such key."""
        return (self._node.get(key) or self._node).line

    @classmethod
    def from_node(cls, node: Node) -> ResourceEntry:
        entry = cls(path=node.path, line=node.line, values=node.plain())
        entry._node = node
        return entry


class RunFile(Section):
    """The keys of a run config file, in its newest shape."""

    version: int = Field(2, description="Of the file's shape; older ones are read too.")
    distro_name: str = Field(description="Names the distribution and its folder.")
    container_image: str | None = Field(None, description="Informational.")
    additional_pip_packages: list[Annotated[str, AfterValidator(requirement.checked)]] = Field(
        default_factory=list, description="Requirements to install beside those of the providers."
    )
    apis: list[str] | None = Field(None, description="APIs mounted over HTTP; all when left out.")
    providers: dict[str, list[ProviderSection] | None] = Field(
        default_factory=dict, description="Who serves each API: by its name, in the order in which they are asked."
    )
    storage: StorageConfig = Field(default_factory=StorageConfig)
    registered_resources: dict[str, list[dict[str, Any]] | None] = Field(
        default_factory=dict, description="What is registered at start, by kind; checked by the API of that kind."
    )
    server: ServerConfig = Field(default_factory=ServerConfig)
    logging: LoggingConfig = Field(default_factory=LoggingConfig)
    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig)
    default_model: str | None = Field(
        None,
        description="The model that comes first in `GET /v1/models`, which clients take that were told none: its id,"
        " its bare name or an alias. Default: the first that the first provider lists.",
        min_length=1,
    )
    vector_stores: dict[str, Any] | None = Field(None, description="Defaults of vector stores; checked by their API.")
    safety: SafetyConfig | None = Field(None, description="Shields: the usual one, and guardrails of every chat.")
    external_providers_dir: str | None = Field(
        None, description="A folder that describes external providers: `{remote,inline}/<api>/<name>.yaml`."
    )
    external_apis_dir: str | None = Field(None, description="A folder that describes external APIs: `<api>.yaml`.")


class RunConfig(RunFile):
    """A run config, ready to be planned. Made by `loading`; has the keys of the file, and:

    providers: those that are on, by API. off: those whose id is empty or `__disabled__` after substitution.
    registered_resources: by their key in the file.
    to_send: requirements of what the environment wants sent to a collector.
    unread: only for the config in a ConfigInvalid: the sections that could not be read completely. Checks that need a
    complete section are skipped for these.
    noted: what was read under an older name or has no effect; `warnings` in words. uses: which value comes from which
    variable. file: the file that was read. lines: the line of each key path in it.
    """

    model_config = ConfigDict(defer_build=True)

    providers: dict[str, list[ProviderEntry]] = Field(default_factory=dict)  # type: ignore[assignment]  # read by now
    registered_resources: dict[str, list[ResourceEntry]] = Field(default_factory=dict)  # type: ignore[assignment]
    off: list[ProviderEntry] = Field(default_factory=list)
    to_send: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    noted: list[Problem] = Field(default_factory=list)
    uses: list[Use] = Field(default_factory=list)
    file: str | None = None
    lines: dict[str, int] = Field(default_factory=dict)

    _tree: Node = PrivateAttr(default_factory=lambda: Node({}))
    _world: World | None = PrivateAttr(default=None)
    _external: External = PrivateAttr(default_factory=External)

    @property
    def world(self) -> World:
        """The APIs and providers that exist for it."""
        return self._world or discovery.built_in()

    @property
    def external(self) -> External:
        """What it names from outside this package."""
        return self._external

    @property
    def tree(self) -> Node:
        """What was read, variables replaced: of the newest shape, without providers that are off."""
        return self._tree

    @property
    def warnings(self) -> list[str]:
        return [as_warning(one) for one in self.noted]


def redacted(config: RunConfig) -> dict[str, Any]:
    """The config for printing: in the file's shape, with variables replaced, secrets masked, and providers that are
    off under `off`.
    """
    # As the model that the file was checked by, whose serializer exists; that of the whole takes long to make.
    values = {name: getattr(config, name) for name in RunFile.model_fields} | {"registered_resources": {}}
    shown = RunFile.model_construct(**values).model_dump(mode="json", exclude={"providers"}, exclude_none=True)
    shown["registered_resources"] = {
        kind: [entry.values for entry in entries] for kind, entries in config.registered_resources.items()
    }
    shown["providers"] = {
        api: [
            entry.model_dump(mode="json", include={"provider_id", "provider_type", "config"})
            | ({"module": entry.module} if entry.module else {})
            for entry in entries
        ]
        for api, entries in config.providers.items()
    }
    shown["off"] = [
        entry.model_dump(mode="json", include={"api", "provider_id", "provider_type", "enabled_by"})
        for entry in config.off
    ]
    masked: dict[str, Any] = redact(shown)
    return masked
