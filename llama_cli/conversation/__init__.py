"""What `chat`, `complete` and `embed` are made of: what is asked of a model, and how its answer is shown and kept."""
