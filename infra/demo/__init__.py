"""The demo: a shop over some days, its answers from both layers, beside the truth."""
