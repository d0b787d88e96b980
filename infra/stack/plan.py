"""The words in which services describe themselves: what to run, when it is ready, what it needs first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.settings import Settings


@dataclass(frozen=True)
class Command:
    """What to execute, and what to add to the environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A Python program of ours, which is forked from a process that has done its ``imports``.

    ``entry`` is what it runs, as ``module:function``; it finds ``arguments`` in ``sys.argv``. Importing a module must
    start no thread of Python's and open nothing, since neither is there after a fork.
    """

    entry: str
    arguments: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """A server process.

    ``command`` writes the configuration files that the server wants and says how to start it; or it is a program of
    ours. ``ready`` asks the server itself and answers False while it cannot reply. ``ports`` are the ports it listens
    on, by their name in the settings. ``needs`` names what must be ready before it starts; ``seconds`` bounds the wait
    until it is ready. ``memory`` is what it takes at rest, in MB.
    """

    name: str
    command: Callable[[Settings], Command] | Program
    ready: Callable[[Settings], bool]
    ports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seconds: float = 120.0
    memory: int = 0


@dataclass(frozen=True)
class Step:
    """Work to do at every start between two services; it must change nothing the second time.

    ``modules`` are what ``run`` will import, which takes long enough to be done while its needs start.
    """

    name: str
    run: Callable[[Settings], None]
    needs: tuple[str, ...]
    modules: tuple[str, ...] = ()


Node = Service | Step
