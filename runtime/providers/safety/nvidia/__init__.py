"""Rails of NVIDIA's NeMo Guardrails, run by its microservice.
https://docs.nvidia.com/nemo/microservices/latest/guardrails/concepts/checks.html (read November 2026)
"""

from runtime.spec import remote, wire

SPEC = remote(
    "nvidia",
    summary="Rails of NVIDIA NeMo Guardrails, in a service of yours",
    adapter=".adapter:NvidiaSafety",
    config=".config:NvidiaSafetyConfig",
    enabled_by="GUARDRAILS_SERVICE_URL",
    sample_config={
        "guardrails_service_url": "${env.GUARDRAILS_SERVICE_URL:=http://localhost:7331}",
        "config_id": "${env.NVIDIA_GUARDRAILS_CONFIG_ID:=self-check}",
    },
    evidence=wire("a local server that checks the documented request and answers in the documented form"),
)
