"""How faults are told on the command line: one clear line and an exit code, never a traceback."""

import errno
from typing import Any

import typer
from typer.core import TyperGroup

from models.errors import DataError, JouletwinError, SetupError

WORK_FAILED = 1
"""The data, the plan or the plant says no."""
MACHINE_REFUSES = 2
"""A wrong call, a port in use, no permission."""


def told(fault: Exception) -> tuple[str, int]:
    """Return the words for a fault and the exit code that goes with it."""
    if isinstance(fault, DataError):
        return f"{len(fault.findings)} finding(s):\n{fault}", WORK_FAILED
    if isinstance(fault, SetupError):
        return str(fault), MACHINE_REFUSES
    if isinstance(fault, OSError):
        return told_of_machine(fault), MACHINE_REFUSES
    return str(fault), WORK_FAILED


def told_of_machine(fault: OSError) -> str:
    """Return the fact, the place and the way on for what the operating system refused."""
    place = fault.filename or "this machine"
    if fault.errno == errno.EADDRINUSE:
        return f"{fault.strerror}. Choose another port with --port, or end the program that holds it."
    if fault.errno in (errno.EACCES, errno.EPERM):
        return f"{place}: no permission. Choose a folder that you may write, or run as the user who owns it."
    if fault.errno == errno.ENOSPC:
        return f"{place}: the disk is full. Free some space and run the command again."
    return f"{place}: {fault.strerror or fault}"


class PlainFaults(TyperGroup):
    """A command group that turns every fault raised on purpose into its words and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; anything that is not a known fault keeps its traceback, since that is a bug of ours."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            ctx.exit(0)
        except (JouletwinError, OSError) as fault:
            words, code = told(fault)
            typer.secho(f"jouletwin {ctx.invoked_subcommand}: {words}", err=True)
            ctx.exit(code)
