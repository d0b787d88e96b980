"""The HTTP API: read-only, under ``/v1``."""
