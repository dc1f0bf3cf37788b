"""Where in a site file something is wrong: dotted paths with ids, line numbers, and the words for what pydantic found."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic_core import ErrorDetails

Loc = Sequence[int | str]
UNIT_ENDINGS = (
    "kw",
    "mw",
    "w",
    "kwh",
    "mwh",
    "wh",
    "degc",
    "degf",
    "k",
    "m",
    "mm",
    "km",
    "kpa",
    "bar",
    "mpa",
    "h",
    "min",
    "s",
    "pu",
    "percent",
    "share",
)


def place_of(loc: Loc, document: Any) -> str:
    """Return ``assets[chp1].min_up_h`` for the location ("assets", 4, "chp", "min_up_h"); list entries are named by their id."""
    parts: list[str] = []
    here = document
    for step in loc:
        if isinstance(step, int) and isinstance(here, list):
            here = here[step] if step < len(here) else None
            name = here.get("id", step) if isinstance(here, dict) else step
            parts.append(f"[{name}]")
        elif isinstance(here, dict) and step in here:
            here = here[step]
            parts.append(f".{step}")
        elif step != _tag(here):
            parts.append(f".{step}")
    return "".join(parts).lstrip(".") or "the file"


def _tag(here: Any) -> Any:
    """Return the discriminator that pydantic puts into a location although the file has no such level."""
    return here.get("kind") if isinstance(here, dict) else None


def line_of(loc: Loc, root: yaml.Node | None) -> int | None:
    """Return the line (from 1) on which the deepest known part of a location stands."""
    node, line = root, None
    for step in loc:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            found = [value for key, value in node.value if key.value == step]
            if not found:
                continue
            node = found[0]
        else:
            break
        line = node.start_mark.line + 1
    return line


def words_for(problem: ErrorDetails, model: type) -> str:
    """Return what is wrong and what to write instead, in a sentence."""
    kind, ctx, given = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown_field(str(problem["loc"][-1]), known_fields(problem["loc"][:-1], model))
    if kind.startswith("missing"):
        return "is missing; add it"
    for key, word in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most")):
        if key in ctx:
            return f"is {given!r}; must be {word} {ctx[key]:g}"
    if kind.startswith("union_tag"):
        return f"kind is unknown; use one of {ctx.get('expected_tags', 'the kinds in the schema')}"
    return f"is {given!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _unknown_field(name: str, known: Sequence[str]) -> str:
    """Return the words for a field that the format does not have: another unit, a slip of the pen, or simply unknown."""
    stem, _, unit = name.rpartition("_")
    same = [k for k in known if k.rpartition("_")[0] == stem and stem]
    if unit in UNIT_ENDINGS and same:
        return f"unknown field: this quantity is given as {same[0]}; convert the value and rename it"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"unknown field; {hint}"


def known_fields(loc: Loc, model: type) -> list[str]:
    """Return the field names that the format knows at a location."""
    here: Any = model
    for step in loc:
        here = _inside(here, step)
    return list(_members(here))


def _inside(kind: Any, step: int | str) -> Any:
    """Return the type one level further in."""
    kind = _bare(kind)
    if isinstance(step, int):
        return next((a for a in get_args(kind) if a is not Ellipsis), None)
    if get_origin(kind) in (Union, UnionType):
        return next(
            (a for a in get_args(kind) if _members(a).get("kind") and step in get_args(_members(a)["kind"])), kind
        )
    return _members(kind).get(str(step))


def _bare(kind: Any) -> Any:
    """Return a type without its annotations and without ``| None``."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        rest = [a for a in get_args(kind) if a is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _members(kind: Any) -> Mapping[str, Any]:
    """Return field name → type of a record, empty for anything else."""
    kind = _bare(kind)
    if not isinstance(kind, type):
        return {}
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        return {f.name: hints[f.name] for f in fields(kind)}
    model_fields: Mapping[str, Any] = getattr(kind, "model_fields", {})
    return {name: hints[name] for name in model_fields}
