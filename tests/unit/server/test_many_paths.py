"""What an application costs with the number of its paths, and that Litestar still knows each handler of each path."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import HTTPRouteHandler
from litestar.router import Router

from runtime.conformance.stacks import run_config, serving
from runtime.server.app import _PlainLitestar


async def _nothing() -> None: ...


def _handler(method: Any, *paths: str) -> HTTPRouteHandler:
    return HTTPRouteHandler(list(paths), http_method=method, status_code=200)(_nothing)


@pytest.mark.parametrize("methods", [("GET", "POST", "PUT"), (["GET", "PUT"], "POST", "DELETE", "PATCH")])
def test_a_path_is_answered_by_each_of_its_handlers(methods: tuple[Any, ...]) -> None:
    """Litestar puts a new route in the place of an older one of the same path."""
    app = _PlainLitestar([_handler(method, f"/first/{place}", "/same") for place, method in enumerate(methods)])
    [route] = [route for route in app.routes if route.path == "/same"]
    asked = {each for method in methods for each in ([method] if isinstance(method, str) else method)}
    assert route.methods == asked | {"OPTIONS"}
    assert app.route_handler_method_map == Router.route_handler_method_map.fget(app)  # type: ignore[attr-defined]


def test_two_handlers_of_one_method_at_one_path_are_refused() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="already registered"):
        _PlainLitestar([_handler("GET", "/same"), _handler("GET", "/other", "/same")])


async def test_what_is_the_same_for_all_paths_of_a_handler_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()
    for name in ("on_registration", "create_kwargs_model"):
        original = getattr(HTTPRouteHandler, name)

        def counted(*args: Any, _original: Any = original, _name: str = name, **named: Any) -> Any:
            made[_name] += 1
            return _original(*args, **named)

        monkeypatch.setattr(HTTPRouteHandler, name, counted)
    async with serving(run_config(), tmp_path) as served:
        routes = served.stack.routes()
    assert len(routes) > 40
    assert all(count < 15 for count in made.values()), made
