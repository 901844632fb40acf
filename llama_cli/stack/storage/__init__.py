"""See, prune and move what servers keep.

Stored completions, files, jobs, registrations: whatever databases they are in.

Examples:
  llama stack storage show starter
  llama stack storage prune starter --kind jobs --older-than 30d --dry-run
  llama stack storage export starter all.tar.gz
"""
