"""Documents are hostile input, so they are read in a process of its own, with limits and without a network."""
