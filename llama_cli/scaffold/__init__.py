"""What `llama stack new-provider` writes: a package of its own with a provider in it."""
