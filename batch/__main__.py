"""`python -m batch`."""

from batch.cli import app

if __name__ == "__main__":
    app(prog_name="python -m batch")
