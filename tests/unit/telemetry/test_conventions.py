"""Every name of ours is one of OpenTelemetry's list, and what is written under it has the list's type.

`semconv.tsv` has what we use of https://github.com/open-telemetry/semantic-conventions-genai (the file
model/gen-ai/registry.yaml at commit 002c8a6e, and model/mcp/registry.yaml) and, for http, server, url and db, of
https://github.com/open-telemetry/semantic-conventions.
"""

from __future__ import annotations

from pathlib import Path

from runtime.telemetry import conventions

PUBLISHED = dict(line.split("\t") for line in Path(__file__).with_name("semconv.tsv").read_text().splitlines() if line)


def test_what_we_call_things_is_what_they_are_called() -> None:
    ours = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
    assert {name for name in ours if not name.startswith("llama_stack.")} == set(PUBLISHED)


def test_providers_have_the_names_of_the_conventions() -> None:
    assert [
        conventions.provider_name(kind)
        for kind in ("remote::openai", "remote::azure", "remote::bedrock", "inline::meta-reference", "odd")
    ] == ["openai", "azure.ai.openai", "aws.bedrock", "meta-reference", "odd"]
