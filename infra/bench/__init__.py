"""Measurements of the running system: workloads, and what was spent on them."""
