"""The run config of a stack in front of a vendor, with all that clients ask it for, and the packages that it needs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from runtime.config.loading import parse_run_config
from runtime.conformance.upstream import RERANK_MODEL
from runtime.stack.plan import plan
from tests.support.guard_model import GUARD_3
from tests.support.stacks import openai_at

ROOT = Path(__file__).parents[2]


def vendor_config(url: str, *, guard: str | None = None) -> dict[str, Any]:
    """guard: where a Llama Guard is, over which there then is the shield `guard`."""
    only = {"base_url": url, "allowed_models": [RERANK_MODEL]}
    reranker = {"provider_id": "reranker", "provider_type": "remote::vllm", "config": only}
    others = {"files": "localfs", "file_processors": "auto", "vector_io": "faiss"}
    here = {"allow_private_addresses": True}
    near = {"provider_id": "builtin", "provider_type": "inline::builtin", "config": here}
    config: dict[str, Any] = {
        "version": 2,
        "distro_name": "clients",
        "providers": {
            "inference": [openai_at(url), reranker],
            "connectors": [near],
            **{api: [{"provider_id": name, "provider_type": f"inline::{name}"}] for api, name in others.items()},
        },
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
    }
    if guard is not None:
        config["providers"]["inference"].append(openai_at(guard, "guards", allowed_models=[GUARD_3]))
        config["providers"]["safety"] = [{"provider_id": "llama-guard", "provider_type": "inline::llama-guard"}]
        shield = {"shield_id": "guard", "provider_shield_id": f"guards/{GUARD_3}"}
        config["registered_resources"] = {"shields": [shield]}
    return config


def packages_of_a_library() -> list[str]:
    """What an environment needs in which a program has this stack as a library."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    planned = plan(parse_run_config(json.dumps(vendor_config("http://localhost/v1")), env={}))
    plain = [package for package in planned.packages if " --" not in package]  # those with options read office files
    return [*stated["dependencies"], *stated["optional-dependencies"]["server"], *plain]
