"""Clients of the stores, made from settings. Nothing else opens a connection."""
