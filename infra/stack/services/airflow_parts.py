"""Airflow's three processes, forked from one that has imported Airflow: that halves the time until they are ready.

``python -m infra.stack.services.airflow_parts`` ends when one of them does, and ends the others then, so that a part
that died is never missing unnoticed. Configuration comes from the environment.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import dataclass

from sqlalchemy.orm import configure_mappers

from infra.stack.imports import load

SHARED = (
    "airflow.cli.cli_parser",
    "airflow.models.dagbag",
    "airflow.jobs.scheduler_job_runner",
    "airflow.dag_processing.manager",
    "airflow.providers_manager",
    # The scheduler serves logs with FastAPI, and the DAG processor has the API of the tasks for itself.
    "airflow.utils.serve_logs",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.execution_api.routes",
)


@dataclass(frozen=True)
class Part:
    """A command of Airflow's, and the modules that it alone will import."""

    arguments: tuple[str, ...]
    modules: tuple[str, ...] = ()


PARTS = (
    # The module makes the application, with all of its 800 routes.
    Part(("api-server",), ("airflow.api_fastapi.main",)),
    # It would serve logs on a port of all addresses; the web server reads them from the folder.
    Part(("scheduler", "--skip-serve-logs")),
    Part(("dag-processor",)),
)


def main() -> int:
    """Run the parts until one of them ends."""
    load(SHARED)
    configure_mappers()
    children = {_fork(part): part.arguments[0] for part in PARTS}
    pid, status = os.wait()
    sys.stderr.write(f"airflow {children.pop(pid)} ended with {os.waitstatus_to_exitcode(status)}\n")
    for other in children:
        os.kill(other, signal.SIGTERM)
    return 1


def _fork(part: Part) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        load(part.modules)
        sys.argv = ["airflow", *part.arguments]
        from airflow.__main__ import main as airflow

        airflow()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Never back into the parent's code, nor its exit handlers.
        os._exit(code)


if __name__ == "__main__":
    raise SystemExit(main())
