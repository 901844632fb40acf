"""Show what requests to a server led to.

Examples:
  llama stack traces
  llama stack traces req_0f3c1b2a4d5e6f708192a3b4
  llama stack traces sql "SELECT name, duration_ms FROM spans"
"""

DEFAULT = "show"
RUNS_BARE = True
