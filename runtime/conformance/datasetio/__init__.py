"""What every provider of datasets promises (`runtime/apis/datasetio`)."""
