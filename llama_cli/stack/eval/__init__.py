"""Put cases to models, score the answers, and let through what is good enough.

`llama stack eval SUITE` is `llama stack eval run SUITE`. A run goes on in the server, also after a restart.

Examples:
  llama stack eval capitals.yaml --model SmolLM2-135M-Instruct
  llama stack eval ls
  llama stack eval show last --markdown report.md
"""

DEFAULT = "run"
"""The command that is meant where none is named."""
