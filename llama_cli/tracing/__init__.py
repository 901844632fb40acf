"""Traces for people: as rows, as a waterfall, in words and as figures of the last minute."""
