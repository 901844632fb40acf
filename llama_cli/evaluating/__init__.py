"""Evaluations as people see them: suites, cases from what was asked, runs with their figures, reports."""
