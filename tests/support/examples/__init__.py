"""One file for each mechanism that APIs and providers are made with: what it takes to use it, and nothing elsewhere."""
