"""Settings of datasets in a folder."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from runtime.apis._names import ServerAddress

MB = 1024**2


class LocalRowsConfig(BaseModel):
    """Where rows may come from, and what taking and reading them may cost."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    allowed_folders: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Folders of this machine whose files users may register by path or as `file://`. By default none;"
        " what the run config registers itself may be anywhere.",
    )
    allowed_packages: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Installed packages whose data files users may register as `package://NAME/PATH`. By default none;"
        " what the run config registers itself may be of any.",
    )
    read_private_addresses: bool = Field(
        False,
        description="Whether rows that users register by address are also fetched from this machine and from private"
        " networks.",
    )
    huggingface_url: ServerAddress = Field(
        "https://huggingface.co", description="The hub that `huggingface://` means. The default is Hugging Face's own."
    )
    api_key: SecretStr | None = Field(
        None, description="A token of that hub, for datasets that are not public. By default none."
    )
    max_source_bytes: int = Field(
        8 * 1024**3,
        ge=1,
        description="The most bytes of a source, also once it is decompressed: of all files of a dataset of the hub"
        " together, and of each of two files that are joined. The default is 8 GiB.",
    )
    fetch_timeout_s: float = Field(
        600.0,
        gt=0,
        le=86400,
        description="How long a source may take to arrive, with all its files, in seconds. The default is 600.",
    )
    max_page_bytes: int = Field(
        16 * MB,
        ge=1024,
        le=1024 * MB,
        description="About the most bytes of the rows that are read at once; `has_more` says that others follow. The"
        " default is 16 MiB.",
    )
    memory_limit: str = Field(
        "512MB",
        pattern=r"^[0-9]{1,6} ?(MB|GB|MiB|GiB)$",
        description="The most memory that DuckDB takes; what needs more is put on the disk. The default is `512MB`.",
    )
    threads: int = Field(2, ge=1, le=256, description="How many threads DuckDB computes with. The default is 2.")
