"""Build, run and watch distributions.

One file per command, named as typed: `llama stack list-apis` is `list_apis.py`. `llama_cli.commands` finds them.

Examples:
  llama stack run starter
  llama stack ps
  llama stack list-providers inference
"""
