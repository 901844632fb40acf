"""Send a request to a server, for what has no command of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console, words

if TYPE_CHECKING:
    from llama_cli.asking.bodies import Body

_WITHOUT_BODY = ("GET", "HEAD", "DELETE", "OPTIONS")


def command(
    method: Annotated[str | None, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH, DELETE.")] = None,
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="The route, with or without `/v1`.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the routes that the server has.")] = False,
    data: Annotated[str | None, typer.Option("--data", metavar="JSON|@FILE", help="The body; `-` is stdin.")] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", "-F", metavar="NAME=VALUE", help="A field of the body: JSON, a text or `@FILE`."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--form", metavar="NAME=@FILE", help="A part of a form: a file, or a text.", rich_help_panel="More"
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME:VALUE", help="One more header.", rich_help_panel="More"),
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Print status and headers too.", rich_help_panel="More")
    ] = False,
    paginate: Annotated[
        bool, typer.Option("--paginate", help="Ask for every page of a list.", rich_help_panel="More")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the answer to a file; `-` is stdout, as it comes.",
            rich_help_panel="More",
        ),
    ] = None,
    url: Url = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.", rich_help_panel="More")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send a request to a server and print its answer.

    Of a stream, the data of each event is printed as it arrives, one a line. Only files and pipes get what is no text.

    The exit code is 0 for a success; else the status decides, as everywhere.

    Examples:
      llama api GET /v1/models
      llama api POST /v1/embeddings -F model=all-MiniLM-L6-v2 -F input=Hello
      llama api --list
    """
    from llama_cli.asking import routes
    from llama_cli.asking.address import address_of
    from llama_cli.asking.passing import Asked, all_pages, pass_on, print_json
    from llama_cli.terminal.tables import Column, listing

    if list_:
        if method is not None:
            raise Failure("`--list` takes no METHOD and no PATH", code=ExitCode.USAGE)
        columns = [
            Column("method", "Method"),
            Column("route", "Route"),
            Column("api", "API", spare=1),
            Column("provider_types", "Providers", gives_way=True, spare=1),
        ]
        listing(routes.mounted(address_of(url)), columns, name=("method", "route"), empty="it lists no routes")
        return
    verb, route = _checked(method, path)
    place = routes.full_path(route)
    body, place, headers = _body(verb, place, data, field or [], form or [], header or [])
    if paginate and verb != "GET":
        raise Failure.of_option("--paginate", "only a list, which GET asks for, has pages")
    if paginate and (include or output is not None):
        message = "its pages are printed as one list, without `--include` and `--output`"
        raise Failure.of_option("--paginate", message)
    address = address_of(url)
    if dry_run:
        facts = {"method": verb, "url": address, "path": place, "body_bytes": body.size_bytes}
        if json:
            console.document(facts)
        else:
            console.out(f"would send {verb} {place} with {words.size(body.size_bytes)} to {address}")
        return
    asked = Asked(url=address, method=verb, path=place, pieces=body.pieces, headers=headers)
    if paginate:
        print_json(all_pages(asked))
    else:
        pass_on(asked, include=include, output=output)


def _checked(method: str | None, path: str | None) -> tuple[str, str]:
    from llama_cli.asking.routes import METHODS
    from runtime.similar import names_for

    if method is None or path is None:
        is_path = method is not None and method.upper() not in METHODS
        hint: str | None = (
            f"as in `llama api GET {method if is_path else '/v1/models'}`; `llama api --list` shows every route"
        )
        raise Failure("name a METHOD and a PATH", hint=hint, code=ExitCode.USAGE)
    if method.upper() not in METHODS:
        hint = names_for(method.upper(), METHODS)
        raise Failure(f"there is no method `{method}`", hint=hint, code=ExitCode.USAGE)
    if "://" in path:
        hint = "the address of a server goes into `--url`"
        raise Failure(f"`{path}` is an address, no path", hint=hint, code=ExitCode.USAGE)
    return method.upper(), path


def _body(
    method: str, place: str, data: str | None, field: list[str], form: list[str], header: list[str]
) -> tuple[Body, str, dict[str, str]]:
    """What is sent, the path with the fields of a method that has no body, and all headers."""
    from llama_cli.asking import bodies

    if sum(map(bool, (data is not None, field, form))) > 1:
        raise Failure("give one of `--data`, `--field` and `--form`", code=ExitCode.USAGE)
    headers = bodies.headers(header)
    if field and method in _WITHOUT_BODY:
        return bodies.Body(), f"{place}{'&' if '?' in place else '?'}{bodies.query(field)}", headers
    if data is not None:
        body = bodies.of_data(data, is_json="json" in headers.get("content-type", "json"))
    elif form:
        body = bodies.of_form(form)
    else:
        body = bodies.of_fields(field) if field else bodies.Body()
    return body, place, {**body.headers, **headers}
