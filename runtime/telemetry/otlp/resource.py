"""What all that is sent tells of who sends it: OpenTelemetry's resource.

https://opentelemetry.io/docs/specs/semconv/resource/
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Mapping
from functools import cache
from uuid import uuid4

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.version import __version__ as sdk_version

from runtime import __version__

SERVICE = "llama-stack"
DISTRIBUTION = "llama_stack.distribution.name"


def resource_of(distribution: str, given: Mapping[str, str]) -> Resource:
    """given: what the user says of it, which comes first."""
    known: dict[str, str | int] = {
        "service.name": SERVICE,
        "service.version": __version__,
        "service.instance.id": _instance(),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
        "process.pid": os.getpid(),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
        "host.name": socket.gethostname(),
        "host.arch": _ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower()),
        "os.type": platform.system().lower(),
        DISTRIBUTION: distribution,
    }
    return Resource({**known, **given})


def scope_of(name: str) -> InstrumentationScope:
    """Which part of us says it."""
    return InstrumentationScope(name, __version__)


@cache
def _instance() -> str:
    """The same for all that this process sends."""
    return str(uuid4())


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As the conventions call them."""
