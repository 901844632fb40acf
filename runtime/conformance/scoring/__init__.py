"""What every provider of scoring functions promises (`runtime/apis/scoring`)."""
