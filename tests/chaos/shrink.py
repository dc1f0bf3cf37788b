"""Make a failing plan readable: leave out one part after another as long as the same class of violation stays."""

from dataclasses import fields, replace


def shorter(plan):
    """Yield the plan with one part left out at a time."""
    for part in fields(plan):
        parts = getattr(plan, part.name)
        if isinstance(parts, tuple):
            for k in range(len(parts)):
                yield replace(plan, **{part.name: parts[:k] + parts[k + 1 :]})


def shrink(plan, fails):
    """Return the smallest plan that greedy removal finds for which ``fails(plan)`` stays true, and the runs that it took."""
    runs = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in shorter(plan):
            runs += 1
            if fails(candidate):
                plan, smaller = candidate, True
                break
    return plan, runs


def readable(plan):
    """Return a plan as lines, one per thing that happens."""
    plain = {f.name: getattr(plan, f.name) for f in fields(plan) if not isinstance(getattr(plan, f.name), tuple)}
    lines = [", ".join(f"{name} {value}" for name, value in plain.items())]
    for part in fields(plan):
        parts = getattr(plan, part.name)
        if isinstance(parts, tuple):
            lines += [f"  {part.name.removesuffix('s')} {p}" for p in parts]
    return "\n".join(lines)
