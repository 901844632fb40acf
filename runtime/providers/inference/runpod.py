"""RunPod's serverless workers with vLLM. https://docs.runpod.io/serverless/vllm/openai-compatibility"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, REASONING_BACK, TEXT_ONLY, refused
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "runpod",
    summary="A RunPod serverless endpoint that runs vLLM",
    base_url_env="RUNPOD_URL",
    api_key_env="RUNPOD_API_TOKEN",
    enabled_by="RUNPOD_URL",
    key_required=True,
    chat=Chat(rules=(REASONING_BACK, *NO_FUNCTIONS, *TEXT_ONLY), reasoning_field="reasoning"),
    completions=Completions(rules=refused("suffix", why="does not fill in before a suffix")),
    evidence=wire("a local server that answers as vLLM's documentation says"),
)
