"""See, check and renew what providers were asked and answered.

Recordings answer in place of providers in tests: `--record DIR` makes them, `--replay DIR` uses them.

Examples:
  llama stack recordings ls
  llama stack recordings verify --config starter
  llama stack recordings prune --unused --dry-run
"""
