"""`--processes` and `--on`: a command that is one of several, which it or a launcher starts; what each does first."""

import sys
from dataclasses import dataclass

from typer import Exit

from descend.cli._console import DEBUG, Console, complain_in_a_line
from descend.distributed.launched import STARTERS, Launcher, join_launched
from descend.distributed.member import VARIABLE, Member, Started
from descend.errors import InputError
from descend.tasks.common.settings import Settings
from descend.tasks.common.sources import STANDARD_INPUT
from descend.tasks.table.registry import candidates

# Of options.
PROCESSES = ("Of tables: train networks in so many processes on this machine's CPU. Each computes with its part of the "
             "rows of a step, on its share of the cores. If one dies, all go on from the last checkpoint. The linear "
             "model is solved by the first alone.")
ON = ("Of tables: the same in the processes that srun or mpirun has started with this very command, on one machine or "
      "several. All of them read the table; the first alone writes.")


@dataclass(frozen=True)
class Sharing:
    """Who trains besides: so many `processes` of this machine, or those that the launcher `on` a cluster started."""

    processes: int | None = None
    on: Launcher | None = None

    @property
    def option(self) -> str:
        """That of the line which asked for it; none, where one process does all."""
        return "--on" if self.on else "--processes" if self.processes is not None else ""

    def refuse(self, what: str) -> None:
        """Refuse to share what one process trains on alone.

        **Raises** `InputError` if there are several.
        """
        if self.option:
            raise InputError(f"{self.option} is for tables: one process trains on the {what}")

    def joined(self, settings: Settings, source: str) -> Member | None:
        """The process that this is of several, which has joined the others; none, where all is done by one.

        The process that somebody started with `--processes` has them run the same command, and ends as they do.

        **Raises** `InputError` for a number of processes that cannot be, or is not that of the environment; and for
        what is not divided.
        """
        member, quiet = Started.here(), DEBUG not in sys.argv
        if self.option:
            self._refuse_undivided(settings, source)
        if self.on:
            return join_launched(self.on, quiet)
        if member is not None:
            if member.count != self.processes:
                raise InputError(f"{VARIABLE} is {member}, and --processes is {self.processes}: unset it")
            member.join(quiet)
        elif self.processes is not None:
            raise Exit(_supervised(self.processes))
        return member

    def _refuse_undivided(self, settings: Settings, source: str) -> None:
        """Refuse to share what several processes cannot read, or do not divide.

        **Raises** `InputError`.
        """
        if self.on and self.processes is not None:
            raise InputError(f"--on {self.on} --processes: {STARTERS[self.on]} tells how many processes there are: "
                             "leave --processes out")
        if source == STANDARD_INPUT:
            raise InputError(f"{self.option}: each process reads the table, and the standard input can be read once "
                             "alone; write it to a file")
        solved = [each.name for each in candidates() if each.runs_aside]
        if settings.model in solved and not settings.says_how_to_descend:
            raise InputError(f"{self.option} is for networks, and the {settings.model} model is solved by one process: "
                             "leave one of the options out")


def _supervised(processes: int) -> int:
    """Have so many processes run this command; its exit code."""
    # Only who starts others needs it.
    from descend.distributed.supervisor import Supervisor

    words = [word for word in sys.argv[1:] if word != DEBUG]
    debug = [DEBUG] * (DEBUG in sys.argv)
    code = Supervisor([*words, *debug], processes, complain_in_a_line).run()
    # Which one that was killed may have hidden.
    Console().show_cursor()
    return code
