"""``rivermeet airflow``: Airflow's own command line, on the local stack."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from infra.cli._errors import NotRunningError


def command(
    arguments: Annotated[list[str], typer.Argument(metavar="ARGUMENTS...", help="What `airflow` is to do.")],
) -> None:
    """Run Airflow's own command line on the local stack. Put -- before options that are Airflow's.

    Example: [bold]rivermeet airflow dags list[/] or
    [bold]rivermeet airflow -- dags unpause -y ecommerce_etl_daily[/]
    """
    from infra.settings import load_settings
    from infra.stack.services.airflow import environment

    settings = load_settings()
    if not (settings.home / "airflow" / "airflow.db").exists():
        raise NotRunningError("Airflow")
    sys.stdout.flush()
    command_line = (sys.executable, "-m", "airflow", *arguments)
    os.execve(sys.executable, command_line, {**os.environ, **environment(settings)})  # noqa: S606 - no shell is meant
