"""Providers of the API `datasetio`."""
