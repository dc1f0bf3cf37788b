"""Make a failing plan readable: leave out one part after another as long as the same class of violation stays."""

from dataclasses import fields

from tests.chaos import fleet, fleet_oracle


def shrink(plan, folder, kind, **options):
    """Return the smallest plan that greedy removal finds, still with a violation of ``kind``, and the runs that it took."""
    runs = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in fleet.shorter(plan):
            runs += 1
            found = fleet_oracle.violations(fleet.run(candidate, folder, **options))
            if any(k == kind for k, _ in found):
                plan, smaller = candidate, True
                break
    return plan, runs


def readable(plan):
    """Return a plan as lines, one per thing that happens."""
    lines = [f"seed {plan.seed}, {plan.devices} device(s), {plan.framer}, function {16 if plan.fc16 else 6}"]
    for part in fields(plan):
        parts = getattr(plan, part.name)
        if isinstance(parts, tuple):
            lines += [f"  {part.name[:-1]} {p}" for p in parts]
    return "\n".join(lines)
