"""What several vector databases share: blocking libraries off the event loop, the contract's bytes, settings."""
