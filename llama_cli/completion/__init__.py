"""Let a shell complete commands, options and real values.

Templates, distributions, servers that run, providers, APIs, models, variables and files are completed, without asking
the network.

Examples:
  llama completion install
  llama completion show zsh
"""
