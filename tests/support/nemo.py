"""NVIDIA's NeMo on this machine at wire level: the entity store, the data store with a server of large files, and the
evaluator. What its documentation says of a request is checked, and answers have the documented form.
https://docs.nvidia.com/nemo/microservices/latest (read November 2026)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "nvapi-secret"
MADE = "2026-11-28T01:02:03.456789"
_STATED = {"namespace", "name", "description", "project", "custom_fields", "ownership"}
FIELDS = {
    "datasets": _STATED | {"files_url", "format", "hf_endpoint", "limit", "split"},
    "configs": _STATED | {"type", "params", "tasks", "groups"},
}
NEEDED = {"datasets": ("files_url",), "configs": ("type",)}
JOB_FIELDS = {"namespace", "target", "config", "description", "project", "custom_fields", "output_files_url"}


@dataclass
class Nemo:
    """kept: objects by kind and `NAMESPACE/NAME`. files: of the data store by repository, commit and path, the latest
    commit last; has_ranges: whether parts of them are sent, which begin at `begins`. large: paths that lead to
    another server. jobs: of the evaluator by id; results: what came of them; comes_to: what comes of every
    job when it is asked for, None where a test ends jobs itself. asked: each request as method, path and JSON. keys:
    what each was sent as `Authorization`. fails: answers a part of a path with this status, each once.
    """

    url: str = ""
    elsewhere: str = ""
    kept: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {"datasets": {}, "configs": {}})
    files: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    has_ranges: bool = True
    begins: list[int] = field(default_factory=list)
    large: set[str] = field(default_factory=set)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    comes_to: dict[str, Any] | None = None
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    fails: dict[str, list[int]] = field(default_factory=dict)

    def app(self) -> web.Application:
        @web.middleware
        async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
            return await self._noted(request, handler)

        app = web.Application(middlewares=[noted])
        for kind, at in (("datasets", "/v1/datasets"), ("configs", "/v1/evaluation/configs")):
            app.router.add_post(at, self._creating(kind))
            for method in ("GET", "PATCH", "DELETE"):
                app.router.add_route(method, f"{at}/{{namespace}}/{{name}}", self._one(kind))
        app.router.add_get("/v1/hf/api/datasets/{namespace}/{name}", self._listed)
        app.router.add_get("/v1/hf/api/datasets/{namespace}/{name}/revision/{commit}", self._listed)
        app.router.add_get("/v1/hf/datasets/{namespace}/{name}/resolve/{commit}/{path:.*}", self._resolved)
        app.router.add_post("/v1/evaluation/jobs", self._begun)
        app.router.add_get("/v1/evaluation/jobs/{job}", self._job)
        app.router.add_post("/v1/evaluation/jobs/{job}/cancel", self._cancelled)
        app.router.add_get("/v1/evaluation/jobs/{job}/results", self._results)
        return app

    async def _noted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path, await request.json() if request.can_read_body else None))
        self.keys.append(request.headers.get("authorization"))
        for part, statuses in self.fails.items():
            if part in request.path and statuses:
                return web.json_response({"detail": f"it fails with {KEY}"}, status=statuses.pop(0))
        answer: web.StreamResponse = await handler(request)
        return answer

    def _creating(self, kind: str) -> Any:
        async def create(request: web.Request) -> web.Response:
            body = await request.json()
            if wrong := body.keys() - FIELDS[kind]:
                return _invalid(min(wrong), "Extra inputs are not permitted")
            if missing := [name for name in NEEDED[kind] if not body.get(name)]:
                return _invalid(missing[0], "Field required")
            place = f"{body.get('namespace', 'default')}/{body['name']}"
            if place in self.kept[kind]:
                return web.json_response({"detail": f"{place} already exists"}, status=409)
            self.kept[kind][place] = {
                "id": f"{kind}-{len(self.kept[kind])}",
                "created_at": MADE,
                "project": None,
                **body,
            }
            return web.json_response(self.kept[kind][place])

        return create

    def _one(self, kind: str) -> Any:
        async def one(request: web.Request) -> web.Response:
            place = f"{request.match_info['namespace']}/{request.match_info['name']}"
            if place not in self.kept[kind]:
                return _unknown(place)
            if request.method == "DELETE":
                return web.json_response({"message": "Resource deleted", "id": self.kept[kind].pop(place)["id"]})
            if request.method == "PATCH":
                body = await request.json()
                if wrong := body.keys() - FIELDS[kind] | body.keys() & {"name", "namespace"}:
                    return _invalid(min(wrong), "cannot be changed")
                self.kept[kind][place] |= body
            return web.json_response(self.kept[kind][place])

        return one

    async def _listed(self, request: web.Request) -> web.Response:
        name = f"{request.match_info['namespace']}/{request.match_info['name']}"
        commits = self.files.get(name, {})
        commit = request.match_info.get("commit") or next(reversed(commits), None)
        if commit not in commits or commit is None:
            return web.json_response({"error": "Repository or revision not found"}, status=404)
        siblings = [{"rfilename": path} for path in commits[commit]]
        return web.json_response({"id": name, "sha": commit, "private": False, "siblings": siblings})

    async def _resolved(self, request: web.Request) -> web.Response:
        name, path = f"{request.match_info['namespace']}/{request.match_info['name']}", request.match_info["path"]
        content = self.files[name][request.match_info["commit"]].get(path)
        if content is None:
            return web.json_response({"error": "Entry not found"}, status=404)
        if path in self.large:
            return web.Response(status=302, headers={"location": f"{self.elsewhere}/{name}/{path}?signature=s"})
        return self._part(request, content)

    def _part(self, request: web.Request, content: bytes) -> web.Response:
        """What is asked for of a file."""
        begin = request.http_range.start or 0 if self.has_ranges else 0
        self.begins.append(begin)
        headers = {"content-range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        return web.Response(
            body=content[begin:],
            status=206 if begin else 200,
            headers=headers,
            content_type="application/octet-stream",
        )

    async def fetched(self, request: web.Request) -> web.Response:
        """The server of large files."""
        self.keys.append(request.headers.get("authorization"))
        name, path = f"{request.match_info['namespace']}/{request.match_info['name']}", request.match_info["path"]
        return self._part(request, self.files[name][next(reversed(self.files[name]))][path])

    async def _begun(self, request: web.Request) -> web.Response:
        body = await request.json()
        if wrong := body.keys() - JOB_FIELDS:
            return _invalid(min(wrong), "Extra inputs are not permitted")
        target = body.get("target")
        if not isinstance(target, dict) or target.get("type") != "model" or not isinstance(target.get("model"), str):
            return _invalid("target", "is no model")
        if body.get("config") not in self.kept["configs"]:
            return _unknown(str(body.get("config")))
        job_id = f"eval-{len(self.jobs)}"
        self.jobs[job_id] = {
            "created_at": MADE,
            "updated_at": MADE,
            "id": job_id,
            "namespace": body.get("namespace", "default"),
            "target": target,
            "config": self.kept["configs"][body["config"]],
            "status": "created",
            "status_details": {"message": None, "task_status": {}, "progress": None},
        }
        return web.json_response(self.jobs[job_id])

    async def _job(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["job"])
        if job is not None and job["status"] == "created" and self.comes_to is not None:
            job["status"] = "completed"
            self.results[job["id"]] = self.comes_to
        return _unknown(request.match_info["job"]) if job is None else web.json_response(job)

    async def _cancelled(self, request: web.Request) -> web.Response:
        job = self.jobs[request.match_info["job"]]
        job["status"] = "cancelled"
        return web.json_response(job)

    async def _results(self, request: web.Request) -> web.Response:
        job_id = request.match_info["job"]
        found = self.results.get(job_id)
        return _unknown(job_id) if found is None else web.json_response({"job": job_id, **found})


def _invalid(name: str, why: str) -> web.Response:
    return web.json_response({"detail": [{"loc": ["body", name], "msg": why, "type": "value_error"}]}, status=422)


def _unknown(what: str) -> web.Response:
    return web.json_response({"detail": f"{what} not found"}, status=404)


@asynccontextmanager
async def running_nemo() -> AsyncIterator[Nemo]:
    """Both servers, on ports of their own."""
    nemo = Nemo()
    large = web.Application()
    large.router.add_get("/{namespace}/{name}/{path:.*}", nemo.fetched)
    runners = [web.AppRunner(nemo.app()), web.AppRunner(large)]
    try:
        for runner in runners:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        nemo.url, nemo.elsewhere = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
        yield nemo
    finally:
        for runner in runners:
            await runner.cleanup()
