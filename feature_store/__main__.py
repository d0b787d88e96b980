"""`python -m feature_store`."""

from feature_store.cli import app

if __name__ == "__main__":
    app(prog_name="python -m feature_store")
