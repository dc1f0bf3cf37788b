"""Case files: one YAML document each, read whole with what it extends, every problem found at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import SiteError
from models.findings import Finding, error, errors_in
from models.site.documents import finding_of, read_yaml, repeated_keys
from models.units import Id
from scenarios.cases.case import AnyChange, Case, Expectation, Parameter, RunOptions
from scenarios.cases.results import KPIS
from scenarios.cases.sizing import SizingTask
from scenarios.sites import park_path, works_path

FORMAT = "jouletwin-case/1"
LIBRARY = Path(__file__).parent.parent / "library"
OPEN = re.compile(r"^\$\{([a-z][a-z0-9_]*)\}$")
SHIPPED_OPTIONS = {"park": park_path().with_name("options.yaml")}
SHIPPED_SITES = {"park": park_path, "works": works_path}
DEEPEST = 8


class CaseDocument(BaseModel):
    """A Jouletwin case: a base site, named changes, a stretch of time, how it is run, and what is expected of it."""

    model_config = ConfigDict(extra="forbid", title="Jouletwin case")

    format: Literal["jouletwin-case/1"] = Field(description="version of this format")
    name: Id
    title: str
    story: str = Field("", description="what somebody wants to know, in a paragraph")
    site: str = Field("park", description="a shipped site's name, or a site file's path beside this file")
    extends: str | None = Field(
        None, description="a case whose changes come first: a shipped one's name, or a path beside this file"
    )
    start: date = Field(description="local date on which the run begins")
    days: Annotated[float, Gt(0), Le(366)] = 1.0
    run: RunOptions = RunOptions()
    sizing: SizingTask | None = Field(None, description="what a case of mode size decides")
    parameters: dict[Id, Parameter] = {}
    changes: tuple[AnyChange, ...] = ()
    expect: tuple[Expectation, ...] = ()


def library() -> dict[str, Path]:
    """Return the shipped cases by name."""
    return {p.stem: p for p in sorted(LIBRARY.glob("*.yaml"))}


def load_case(path: Path | str, values: Mapping[str, float] | None = None) -> Case:
    """Return the case in a file, or the shipped case of that name, with its parameters set to ``values`` where given.

    Raises
    ------
    SiteError
        With every finding when the file has at least one error.
    """
    case, findings = read_case(path, values)
    if case is None or errors_in(findings):
        raise SiteError(findings)
    return case


def read_case(path: Path | str, values: Mapping[str, float] | None = None) -> tuple[Case | None, list[Finding]]:
    """Return the case in a file and everything worth saying about it; None when it is malformed."""
    document, root, findings = _document(found_at(path, Path.cwd()), 0)
    return (None, findings) if document is None or findings else parse_case(document, values, root)


def with_values(case: Case, values: Mapping[str, float]) -> Case:
    """Return a case with its parameters set; raises SiteError when a value makes a change impossible to read."""
    made, findings = parse_case(case.document, {**case.values, **values})
    if made is None:
        raise SiteError(findings)
    return replace(made, site_file=case.site_file)


def found_at(name: Path | str, folder: Path) -> Path:
    """Return the file that a name means: a shipped case's, else a path from ``folder``."""
    return library().get(str(name)) or folder / name


def _document(path: Path, depth: int) -> tuple[dict[str, Any] | None, yaml.Node | None, list[Finding]]:
    """Return a file's content on top of what it extends."""
    content, root, unreadable = read_yaml(path)
    if unreadable:
        known = ", ".join(library())
        return None, None, [*unreadable, error("the case", f"shipped cases are: {known}")]
    if not isinstance(content, dict):
        return None, None, [error(str(path), f"holds no mapping; begin with 'format: {FORMAT}'")]
    if isinstance(content.get("sizing"), dict) and "options" in content["sizing"]:
        content["sizing"]["options"] = _options_path(str(content["sizing"]["options"]), path.parent)
    if content.get("extends") is None:
        return {**content, "site": _site_path(str(content.get("site", "park")), path.parent)}, root, repeated_keys(root)
    if depth >= DEEPEST:
        return None, None, [error(f"{path}: extends", f"goes deeper than {DEEPEST} cases; does it extend itself?")]
    if "site" in content:
        content["site"] = _site_path(str(content["site"]), path.parent)
    content["extends"] = str(found_at(str(content["extends"]), path.parent))
    parent, _, findings = _document(Path(content["extends"]), depth + 1)
    return (_on_top(parent, content) if parent is not None else None), root, findings + repeated_keys(root)


def _site_path(name: str, folder: Path) -> str:
    return str(SHIPPED_SITES[name]() if name in SHIPPED_SITES else (folder / name).resolve())


def _options_path(name: str, folder: Path) -> str:
    return str(SHIPPED_OPTIONS.get(name) or (folder / name).resolve())


def _on_top(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """Return a child's content on its parent's: changes follow the parent's, parameters and run options add to them, the rest replaces."""
    both = {**parent, **child}
    for key in ("run", "parameters"):
        both[key] = {**(parent.get(key) or {}), **(child.get(key) or {})}
    both["changes"] = [*(parent.get("changes") or ()), *(child.get("changes") or ())]
    both["expect"] = list(child.get("expect") or ())
    return both


def parse_case(
    document: Mapping[str, Any], values: Mapping[str, float] | None = None, root: yaml.Node | None = None
) -> tuple[Case | None, list[Finding]]:
    """Return the case in a document whose paths are resolved, and its findings; ``root`` gives line numbers."""
    given, findings = _values(document.get("parameters") or {}, values or {})
    filled = {k: (v if k == "parameters" else _filled(v, given, k, findings)) for k, v in document.items()}
    try:
        read = CaseDocument.model_validate(filled)
    except ValidationError as fault:
        problems = fault.errors(include_url=False)
        return None, findings + [finding_of(p, filled, root, CaseDocument) for p in problems]
    findings += _of_parameters(read, document)
    findings += _of_mode(read)
    findings += (_unknown_kpi(k, e.kpi) for k, e in enumerate(read.expect) if e.kpi not in KPIS)
    case = Case(
        name=read.name,
        title=read.title,
        story=read.story,
        site_file=Path(read.site),
        start=read.start,
        days=read.days,
        run=read.run,
        sizing=read.sizing,
        changes=read.changes,
        expect=read.expect,
        parameters=read.parameters,
        values=given,
        document=dict(document),
        extends=read_case(Path(read.extends))[0] if read.extends else None,
    )
    return case, findings


def _values(parameters: Any, values: Mapping[str, float]) -> tuple[dict[str, float], list[Finding]]:
    """Return each parameter's value, its default where none is given; values of nothing are findings."""
    if not isinstance(parameters, dict):
        return {}, []
    known = {
        n: p["default"]
        for n, p in parameters.items()
        if isinstance(p, dict) and isinstance(p.get("default"), int | float)
    }
    unknown = [
        error(f"parameters[{n}]", f"is no parameter of this case; it has {', '.join(known) or 'none'}")
        for n in values
        if n not in known
    ]
    return {n: float(values.get(n, default)) for n, default in known.items()}, unknown


def _filled(value: Any, given: Mapping[str, float], place: str, findings: list[Finding]) -> Any:
    """Return a part of a document with every ``${name}`` replaced by the parameter's value."""
    if isinstance(value, dict):
        return {k: _filled(v, given, f"{place}.{k}", findings) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, given, f"{place}[{k}]", findings) for k, v in enumerate(value)]
    found = OPEN.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    if found[1] not in given:
        findings.append(error(place, f"${{{found[1]}}} is no parameter; write it under 'parameters' with a default"))
    return given.get(found[1], value)


def _of_parameters(read: CaseDocument, document: Mapping[str, Any]) -> Iterator[Finding]:
    used = set(re.findall(r"\$\{([a-z][a-z0-9_]*)\}", str(document.get("changes", ""))))
    for name, parameter in read.parameters.items():
        yield from (error(f"parameters[{name}]", words) for words in parameter.problems())
        if name not in used:
            yield error(
                f"parameters[{name}]", f"nothing uses it; write ${{{name}}} where its value belongs, or leave it out"
            )


def _of_mode(read: CaseDocument) -> Iterator[Finding]:
    if read.run.mode == "size" and read.sizing is None:
        yield error("sizing", "is missing; a case of mode size says with 'options' what may be built")
    if read.run.mode != "size" and read.sizing is not None:
        yield error("sizing", f"is for cases of mode size, this one says {read.run.mode}; keep one of them")


def _unknown_kpi(number: int, name: str) -> Finding:
    return error(f"expect[{number}].kpi", f"there is no figure {name}; there are {', '.join(KPIS)}")


def case_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the case format; inside changes a parameter's name may stand for any number."""
    schema = CaseDocument.model_json_schema()
    schema["$defs"] = {
        n: d if n in ("Parameter", "Expectation") else _open_numbers(d) for n, d in schema["$defs"].items()
    }
    return schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def _open_numbers(part: Any) -> Any:
    """Return a part of a schema in which every number may also be ``${name}``."""
    if isinstance(part, list):
        return [_open_numbers(p) for p in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in ("number", "integer"):
        return {"anyOf": [part, {"type": "string", "pattern": OPEN.pattern}]}
    return {k: _open_numbers(v) for k, v in part.items()}
