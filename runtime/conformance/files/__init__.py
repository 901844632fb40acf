"""What every provider of files promises (`runtime/apis/files`)."""
