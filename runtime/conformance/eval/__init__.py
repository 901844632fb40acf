"""What every provider of evaluations promises (`runtime/apis/eval`)."""
