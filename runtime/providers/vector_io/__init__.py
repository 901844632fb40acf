"""Vector databases."""
