"""The vector databases that the suite runs against."""
