"""What a command line that starts nothing never loads."""

FORBIDDEN = {
    *("pydantic", "litestar", "uvicorn", "httpx", "aiohttp", "msgspec", "torch", "numpy", "sqlalchemy", "openai"),
    *("jinja2", "yaml", "importlib.metadata", "packaging", "uv", "http.client", "asyncio", "psutil", "dotenv"),
    *("rich.console", "rich.table", "typer.rich_utils", "markdown_it", "prompt_toolkit"),
}
"""Modules that cost more than a listing may."""
