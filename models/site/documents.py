"""Documents that people write: YAML read whole, every problem as a finding with its place and line."""

from pathlib import Path
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from models.findings import Finding, error
from models.site.places import line_of, place_of, words_for


def read_yaml(path: Path) -> tuple[Any, yaml.Node | None, list[Finding]]:
    """Return a file's document, its nodes for line numbers, and why it cannot be read, if so."""
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.load(text, Loader=yaml.CSafeLoader), yaml.compose(text, Loader=yaml.CSafeLoader), []
    except OSError as fault:
        return None, None, [error(str(path), f"the file cannot be read ({fault.strerror})")]
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        return None, None, [error(str(path), f"the file is not YAML: {' '.join(str(fault).split())}")]


def finding_of(problem: ErrorDetails, document: Any, root: yaml.Node | None, model: type) -> Finding:
    """Return what pydantic found against ``model`` as a finding with place and line."""
    line = line_of(problem["loc"], root)
    where = f" (line {line})" if line else ""
    return error(place_of(problem["loc"], document), words_for(problem, model) + where)


def repeated_keys(node: yaml.Node | None) -> list[Finding]:
    """Return one finding per key that stands twice in a mapping, which YAML would silently let the last one win."""
    found: list[Finding] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                found.append(
                    error(
                        str(key.value),
                        f"this key stands twice in one mapping (line {key.start_mark.line + 1}); keep one",
                    )
                )
            seen.add(str(key.value))
            found += repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            found += repeated_keys(value)
    return found
