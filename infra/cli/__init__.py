"""``rivermeet``: the one command line.

Each module of this package is a command and is found by its name: ``dead_letters.py`` is ``rivermeet dead-letters``. It
defines either ``command``, a function that typer understands, or ``app``, a typer application with subcommands.
Names with a leading underscore are no commands. Modules import what is heavy inside their functions, so that
``rivermeet --help`` is quick.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil

import typer

from infra.cli._errors import guarded

EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the stack does not run, 130 interrupted."


def build() -> typer.Typer:
    """The application with every command of this package."""
    app = typer.Typer(
        name="rivermeet",
        help="Run, watch and query Rivermeet on this machine.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            _add(app, module.name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module = importlib.import_module(f"{__name__}.{name}")
    shown = name.replace("_", "-")
    if isinstance(getattr(module, "app", None), typer.Typer):
        for command in module.app.registered_commands:
            command.callback = guarded(command.callback)
        app.add_typer(module.app, name=shown)
    else:
        app.command(shown)(guarded(module.command))


def main() -> None:
    """Entry point of the script. What libraries log is dropped: commands say themselves what went wrong."""
    logging.getLogger().addHandler(logging.NullHandler())
    build()()
