"""What every provider of shields promises (`runtime/apis/safety`)."""
