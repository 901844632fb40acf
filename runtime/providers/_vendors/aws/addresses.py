"""Where Amazon's services are: https://docs.aws.amazon.com/general/latest/gr/rande.html (read November 2026)."""

from __future__ import annotations

from collections.abc import Mapping

_OTHER_DOMAINS = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}
"""By the beginning of a region: China, and the European Sovereign Cloud."""
_HOSTS = {"sso": "portal.sso"}
"""Of services whose address has another name than their variable."""


def address_of(service: str, region: str, env: Mapping[str, str]) -> str:
    """Of a service in a region, without a slash at its end. service: as Amazon's client calls it, such as
    `bedrock-runtime`.
    env: may name another, as https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html has it.
    """
    named = env.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}") or env.get("AWS_ENDPOINT_URL")
    if named:
        return named.rstrip("/")
    domain = next((found for start, found in _OTHER_DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return f"https://{_HOSTS.get(service, service)}.{region}.{domain}"
