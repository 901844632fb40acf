"""What is there in a replay in place of providers that ask others, and are not recorded where they do."""

from __future__ import annotations

from runtime import discovery
from runtime.conformance.stacks import run_config
from runtime.stack.in_replay import is_replaced
from runtime.stack.plan import plan
from tests.support.stacks import openai_at

UNUSED = "http://127.0.0.1:9/v1"  # where nobody answers
S3 = {
    "provider_id": "s3",
    "provider_type": "remote::s3",
    "config": {"bucket_name": "b", "endpoint_url": "http://127.0.0.1:9"},
}
RAY = {
    "provider_id": "ray",
    "provider_type": "remote::ray",
    "config": {"address": "ray://127.0.0.1:9", "base_url": "http://127.0.0.1:9"},
}


def test_nobody_is_asked_in_a_way_that_a_replay_does_not_know() -> None:
    found = discovery.built_in()
    left = [
        f"{spec.api}/{spec.provider_type}"
        for spec in found.specs
        if spec.kind == "remote" and not spec.over_http and not is_replaced(spec, found.load_api(spec.api))
    ]
    assert left == ["tool_runtime/remote::model-context-protocol"]  # it asks `connectors`, which are recorded


def test_a_replay_needs_no_packages_of_those_who_are_not_asked() -> None:
    backends = {"sql": {"type": "sql_postgres", "host": "h", "user": "u", "password": "p", "db": "d"}}
    planned = plan(
        run_config(
            providers={"inference": [openai_at(UNUSED)], "files": [S3], "batches": [RAY]},
            storage={"backends": backends},
        )
    )
    names = ("obstore", "ray", "asyncpg", "xxhash")
    asked = [[any(one.startswith(name) for one in packages) for name in names] for packages in
             (planned.packages, planned.packages_in_replay)]  # fmt: skip
    assert asked == [[True, True, True, True], [False, False, False, True]]
