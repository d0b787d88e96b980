"""What can be wrong with a local stack; every message says what to do."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot be brought up as asked; the message names the remedy."""


class PortTakenError(StackError):
    """Another program listens where a service should: stop it or choose another port."""

    def __init__(self, service: str, port: int, holder: str) -> None:
        self.service, self.port, self.holder = service, port, holder
        super().__init__(
            f"port {port} for {service} is taken by {holder}: stop it, "
            f"or set RIVERMEET_PORTS__{service.upper()} to a free port (0 picks one)"
        )


class ServiceFailedError(StackError):
    """A service ended or did not get ready in time; ``log_tail`` holds its last words."""

    def __init__(self, service: str, reason: str, log_tail: str) -> None:
        self.service, self.reason, self.log_tail = service, reason, log_tail
        super().__init__(f"{service} {reason}; its log ends with:\n{log_tail or '(nothing)'}")


class UnknownServiceError(StackError):
    """No such service."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"there is no service named {name!r}; there are {', '.join(known)}")


class ResourceError(StackError):
    """The machine lacks something: Java, disk, memory."""


class ForeignAddressError(StackError):
    """The settings lead to a server elsewhere, and a local stack must not write into that."""

    def __init__(self, variables: list[str]) -> None:
        self.variables = variables
        super().__init__(
            f"{', '.join(variables)} would lead the local stack to servers elsewhere: unset them to run it here; "
            "without it, other commands use those servers as they are"
        )
