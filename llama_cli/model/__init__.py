"""Find, download and look after models on this disk.

What a server serves is another list: `llama models`.

Examples:
  llama model list
  llama model download Llama3.2-1B-Instruct
  llama model describe Llama3.2-1B-Instruct
"""

OLDER = {"verify-download": "model verify"}
