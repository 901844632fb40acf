"""Which benchmarks the stack has, and registering more. Running one: `eval`."""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

BENCHMARK = Resource(
    kind="benchmark",
    served_by="eval",
    id_field="benchmark_id",
    config_key="benchmarks",
    older_keys=("eval_tasks",),
    older_id_fields=("eval_task_id",),
    configured="runtime.apis.benchmarks.protocol:RegisterBenchmarkRequest",
    answer="runtime.apis.benchmarks.protocol:answer",
    is_kept_by_owner=True,
)
API = Api("benchmarks", "runtime.apis.benchmarks.protocol:Benchmarks", resource=BENCHMARK, mounted_with=("eval",))
