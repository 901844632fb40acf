"""Meta's Prompt Guard: a classifier in this process that finds prompts which try to take a model over. No key, no
network; the weights are downloaded with `llama model download`. https://www.llama.com/docs/model-cards-and-prompt-formats/prompt-guard/
"""

from runtime.spec import inline, unproven

SPEC = inline(
    "prompt-guard",
    summary="Prompt Guard 1 and 2: jailbreaks and injected instructions, by a classifier that runs here",
    adapter=".adapter:PromptGuardSafety",
    config=".config:PromptGuardConfig",
    packages=("torch>=2.8", "transformers>=4.50", "safetensors>=0.5", "tokenizers>=0.21"),
    evidence=unproven(
        "Meta's weights are in no package registry; tested with tiny random models of the same architecture and labels"
    ),
)
