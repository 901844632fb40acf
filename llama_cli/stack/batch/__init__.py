"""Answer files of requests in the background.

A running stack asks each line of the file when it has time, and goes on after a restart.

Examples:
  llama stack batch submit requests.jsonl --wait
  llama stack batch ls
  llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e
"""
