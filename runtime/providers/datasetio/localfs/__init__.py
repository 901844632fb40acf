"""Datasets in a folder of this machine: rows are taken once, when they are registered, and kept as Parquet."""

from runtime.spec import NoEffect, inline, live

SPEC = inline(
    "localfs",
    summary="Datasets in a folder of this machine, as Parquet, with every version",
    adapter=".adapter:LocalRows",
    config=".config:LocalRowsConfig",
    packages=("duckdb>=1.4",),
    may_use=("files",),
    aliases=("remote::huggingface",),  # the hub's datasets, which are taken as any other address is
    older={"kvstore": NoEffect("rows are kept in the provider's own folder, beside what is known about them")},
    sample_config={"api_key": "${env.HF_TOKEN:=}"},
    evidence=live("DuckDB itself, a process that is killed at each point of a write, and a local hub"),
)
