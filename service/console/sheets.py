"""Sheets: a resource of the interface as a table with forms, made from its own description, so that page and interface never differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from service.api.access import May
from service.auth.roles import Deed, Principal

Schema = Mapping[str, Any]
METHODS = ("post", "patch", "put", "delete")
PAGES = {"/api/v1/parties": "/customers/parties/{id}", "/api/v1/jobs": "/studies/{id}"}
"""Lists whose rows have pages of their own."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a form asks for; ``type`` is text, long, number, box, date, instant, choice, list, money or json."""

    name: str
    type: str
    required: bool
    about: str
    choices: Sequence[str] = ()
    example: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What can be done with a resource, or with one row of it; ``path`` has the row's id in braces."""

    method: str
    path: str
    about: str
    fields: Sequence[Field]
    versioned: bool
    of_row: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A list of the interface that people may look at, and what they may do with it."""

    path: str
    name: str
    acts: Sequence[Act]
    page: str
    """The page of one row, with its id in braces; "" where rows have none."""


def sheets(app: FastAPI, who: Principal, paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the sheets of those of the lists that exist, with what somebody may do there, as plain values for the page."""
    document, rights = app.openapi(), deeds_of(app)
    known = [p for p in paths if "get" in document["paths"].get(p, {})]
    return [asdict(Sheet(p, _name_of(p), list(_acts(document, rights, who, p)), PAGES.get(p, ""))) for p in known]


def _name_of(path: str) -> str:
    return path.removeprefix("/api/v1/").replace("/", "_").replace("-", "_")


def deeds_of(app: FastAPI) -> Mapping[tuple[str, str], frozenset[Deed]]:
    """Return what every route asks for, by method and path."""
    routes = [c.original_route for c in iter_route_contexts(app.routes) if isinstance(c.original_route, APIRoute)]
    return {
        (method.lower(), r.path): frozenset(d.call.deed for d in r.dependant.dependencies if isinstance(d.call, May))
        for r in routes
        for method in r.methods or ()
    }


def _acts(
    document: Schema, rights: Mapping[tuple[str, str], frozenset[Deed]], who: Principal, path: str
) -> Iterator[Act]:
    """Yield what may be done: routes at the list itself, at one row of it, and one word below that."""
    for other, methods in document["paths"].items():
        rest = other.removeprefix(path)
        one_row = rest.startswith("/{") and rest.count("/") <= 2
        if not (other == path or (other.startswith(path + "/") and one_row) or _beside(other, path)):
            continue
        for method in (m for m in METHODS if m in methods):
            if all(who.may(d) for d in rights.get((method, other), frozenset())):
                yield _act(document, other, method, methods[method], of_row=one_row and other != path)


def _beside(other: str, path: str) -> bool:
    """Return whether a route is a deed of the whole list, as /certificates/transfer is."""
    rest = other.removeprefix(path)
    return other.startswith(path + "/") and "{" not in rest and rest.count("/") == 1


def _act(document: Schema, path: str, method: str, call: Schema, *, of_row: bool) -> Act:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    headers = {p["name"].lower() for p in call.get("parameters", ()) if p.get("in") == "header"}
    fields = [] if body is None else list(fields_of(resolved(document, body), document))
    about = str(call.get("description", "")).split("\n")[0]
    return Act(method.upper(), path, about, fields, "if-match" in headers, of_row)


def resolved(document: Schema, schema: Schema) -> Schema:
    """Return a schema with its own reference followed, and the one that counts of a choice with null."""
    if "$ref" in schema:
        found = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return resolved(document, {**found, **{k: v for k, v in schema.items() if k != "$ref"}})
    real = [s for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    if len(real) == 1:
        return resolved(document, {**real[0], **{k: v for k, v in schema.items() if k != "anyOf"}})
    return schema


def fields_of(schema: Schema, document: Schema) -> Iterator[Field]:
    """Yield what a form for a document asks for, in the order of its description."""
    for name, raw in schema.get("properties", {}).items():
        part = resolved(document, raw)
        example = next(iter(raw.get("examples", part.get("examples", ()))), part.get("default", ""))
        fixed = [str(part["const"])] if "const" in part else [str(v) for v in part.get("enum", ())]
        yield Field(
            name=name,
            type=_type_of(name, part, document),
            required=name in schema.get("required", ()),
            about=str(raw.get("description", "")),
            choices=fixed or [str(v) for v in resolved(document, part.get("items", {})).get("enum", ())],
            example="" if example is None else _plain(example),
            value=_plain(part["default"]) if part.get("default") not in (None, "", [], {}) else "",
        )


def _plain(value: object) -> str:
    """Return an example as somebody would type it."""
    if isinstance(value, list | tuple) and not any(isinstance(v, dict | list) for v in value):
        return ", ".join(map(str, value))
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


def _type_of(name: str, part: Schema, document: Schema) -> str:
    kind, form = part.get("type"), part.get("format")
    if name.endswith("_micro"):
        return "money"
    if "enum" in part or "const" in part:
        return "choice"
    if kind == "array":
        items = resolved(document, part.get("items", {}))
        return (
            "choices" if "enum" in items else "list" if items.get("type") in ("string", "number", "integer") else "json"
        )
    plain = {"number": "number", "integer": "number", "boolean": "box"}
    if kind in plain:
        return plain[str(kind)]
    if kind == "string":
        return {"date": "date", "date-time": "instant"}.get(
            str(form), "long" if part.get("maxLength", 0) > LONG else "text"
        )
    return "json"


LONG = 400
