"""Tests of applications: a plugin of pytest, which gives tests a stack that is recorded and replayed."""
