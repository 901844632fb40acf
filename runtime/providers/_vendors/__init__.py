"""What providers of several APIs share of one vendor: its interface, its client, its authentication."""
