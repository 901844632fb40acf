"""What holds for all commands, as rows that `llama help exit-codes` and `llama help environment` print."""

from __future__ import annotations

from llama_cli.exits import ExitCode

_ENVIRONMENT = {
    "LLAMA_HOME": "The folder of everything that we write; ~/.llama otherwise.",
    "LLAMA_STACK_CONFIG_DIR": "An older name of LLAMA_HOME.",
    "OGX_CONFIG_DIR": "An older name of LLAMA_HOME.",
    "LLAMA_STACK_URL": "The server that commands ask; --url comes first.",
    "LLAMA_STACK_API_KEY": "The key that a server is asked with.",
    "LLAMA_MCP_AUTHORIZATION": "The token that `chat --tool mcp:URL` has for it; with `_LABEL`, for one of several.",
    "LLAMA_MCP_HEADERS": "A JSON object of headers for it, likewise.",
    "LLAMA_STACK_PORT": "The port of `stack run`; --port comes first.",
    "OGX_PORT": "An older name of LLAMA_STACK_PORT.",
    "LLAMA_STACK_LOGGING": "What a server logs, as in `all=info;server=debug`.",
    "OGX_LOGGING": "An older name of LLAMA_STACK_LOGGING.",
    "LLAMA_STACK_METRICS_ENDPOINT_ENABLED": "`true`: a server has metrics, also on a port of their own.",
    "LLAMA_STACK_METRICS_PORT": "That port; 9464 otherwise.",
    "LLAMA_STACK_METRICS_HOST": "The address of that port; 127.0.0.1 otherwise.",
    "OGX_METRICS_ENDPOINT_ENABLED": "An older name, as OGX_METRICS_PORT and OGX_METRICS_HOST are.",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where a server sends traces, metrics and its log; OpenTelemetry's others likewise.",
    "TELEMETRY_SINKS": "llama-stack 0.3's way to say what is sent: `otel_trace`, `otel_metric`, `console`.",
    "LLAMA_TORCH": "Which PyTorch `stack build` installs: `cpu` or `cuda`; else what the machine has.",
    "LLAMA_META_URL": "The address that Meta sent, for `model download`.",
    "HF_TOKEN": "The token for Hugging Face, or HF_TOKEN_PATH, its file; HUGGING_FACE_HUB_TOKEN is an older name.",
    "HF_ENDPOINT": "Where Hugging Face's hub answers, if elsewhere; no other server gets the token.",
    "HF_HOME": "Where Hugging Face's tools keep models.",
    "HF_HUB_OFFLINE": "Download no models; TRANSFORMERS_OFFLINE is the same.",
    "HTTPS_PROXY": "The proxy to the network; HTTP_PROXY, ALL_PROXY and NO_PROXY likewise.",
    "SSL_CERT_FILE": "Certificates to trust; REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE likewise.",
    "UV_CACHE_DIR": "Where packages are cached. Other settings of uv and pip are obeyed too.",
    "CI": "Where it is set, nobody is asked and nothing is drawn.",
    "NO_COLOR": "No colours; --color comes first.",
    "FORCE_COLOR": "Colours also in a pipe.",
    "TERM": "`dumb` for a terminal that can only print.",
}


def exit_codes() -> list[dict[str, object]]:
    """code, name and meaning of each."""
    return [{"code": int(code), "name": code.name.lower(), "meaning": code.meaning} for code in ExitCode]


def environment() -> list[dict[str, object]]:
    """name and meaning of each variable that we read. Those of providers are what `llama stack env` lists."""
    return [{"name": name, "meaning": meaning} for name, meaning in _ENVIRONMENT.items()]
