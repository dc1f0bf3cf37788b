"""Projects: what has to be built before a contract can be served, for how much, by whom and until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from customers.fields import ROWS_MOST, STRICT, Day, Label, Name, PositiveMicro, Ref, Words
from models.findings import Finding, error


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """Money set aside for something, and what it took."""

    __pydantic_config__ = STRICT

    name: Name
    planned_micro: PositiveMicro
    spent_micro: PositiveMicro = 0
    overrun_reason: Words = ""
    """Why it took more than was set aside."""

    @property
    def unexplained(self) -> bool:
        """Whether more was spent than planned and nobody says why."""
        return self.spent_micro > self.planned_micro and not self.overrun_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something that has to be reached until a day."""

    __pydantic_config__ = STRICT

    name: Name
    due_on: Day
    reached_on: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work of somebody, towards a milestone."""

    __pydantic_config__ = STRICT

    name: Name
    milestone: Name
    who: Label = ""
    due_on: Day | None = None
    done_on: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is built for a contract."""

    __pydantic_config__ = STRICT

    contract_id: Ref
    title: Name
    manager: Label = ""
    starts_on: Day
    budget: Annotated[tuple[BudgetLine, ...], Field(max_length=ROWS_MOST)] = ()
    milestones: Annotated[tuple[Milestone, ...], Field(max_length=ROWS_MOST)] = ()
    tasks: Annotated[tuple[Task, ...], Field(max_length=ROWS_MOST)] = ()

    @property
    def planned_micro(self) -> int:
        """What it may cost."""
        return sum(line.planned_micro for line in self.budget)

    @property
    def spent_micro(self) -> int:
        """What it has cost so far."""
        return sum(line.spent_micro for line in self.budget)


def check_project(project: Project) -> Iterator[Finding]:
    """Give what contradicts itself in a project."""
    milestones = {m.name: m for m in project.milestones}
    named = (("budget", project.budget), ("milestones", project.milestones), ("tasks", project.tasks))
    for place, rows in named:
        yield from _twice(place, [row.name for row in rows])
    for at, milestone in enumerate(project.milestones):
        if milestone.due_on < project.starts_on:
            yield error(f"milestones[{at}].due_on", f"is before the project begins on {project.starts_on}")
    for at, task in enumerate(project.tasks):
        towards = milestones.get(task.milestone)
        if towards is None:
            yield error(f"tasks[{at}].milestone", f"there is no milestone {task.milestone!r}")
        elif towards.reached_on is not None and task.done_on is None:
            yield error(
                f"tasks[{at}].done_on", f"{task.name!r} is not done, yet {towards.name!r} is said to be reached"
            )


def _twice(place: str, names: Sequence[str]) -> Iterator[Finding]:
    for at, name in enumerate(names):
        if names.index(name) < at:
            yield error(f"{place}[{at}].name", f"{name!r} stands twice")


def unfinished(project: Project) -> Iterator[Finding]:
    """Give what a project lacks before what it builds can go into operation."""
    for milestone in project.milestones:
        if milestone.reached_on is None:
            yield error(f"project.milestones.{milestone.name}", f"is not reached; it is due on {milestone.due_on}")
    for task in project.tasks:
        if task.done_on is None:
            yield error(f"project.tasks.{task.name}", f"is not done{f' by {task.who}' if task.who else ''}")
    for line in project.budget:
        if line.unexplained:
            over = line.spent_micro - line.planned_micro
            yield error(f"project.budget.{line.name}", "took more than was planned; say why", value=over / 1e6)
