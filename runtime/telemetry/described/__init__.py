"""What spans tell of the calls of each API, in OpenTelemetry's names; one file an API, found by its name."""
