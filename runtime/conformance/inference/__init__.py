"""What every inference provider promises (`runtime/apis/inference`)."""
