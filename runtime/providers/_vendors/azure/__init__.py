"""What providers over Azure share."""
