"""Sizes, types and cycles of the product's modules, read from their syntax trees."""

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("models", "twin", "optimizers", "hil", "market", "customers", "scenarios", "service")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, ast.Module]:
    """Every product module by dotted name; a package goes by its folder's name."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    return found


def functions() -> Iterator[tuple[str, Function]]:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{module}.{node.name}", node


def lines_of(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def is_package(module: str) -> bool:
    return (ROOT / Path(*module.split("."))).is_dir()


def target_of(node: ast.ImportFrom, module: str) -> str:
    """The absolute module that a ``from`` import names."""
    if not node.level:
        return node.module or ""
    home = module.split(".")[: None if is_package(module) else -1]
    return ".".join([*home[: len(home) - node.level + 1], *([node.module] if node.module else [])])


def imports_at_load(node: ast.AST, module: str) -> Iterator[str]:
    """Modules that ``node`` imports anywhere but below ``if TYPE_CHECKING``."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (a.name for a in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = target_of(node, module)
        yield base
        yield from (f"{base}.{a.name}" for a in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imports_at_load(child, module)


def import_graph() -> dict[str, set[str]]:
    return {
        name: {i for i in imports_at_load(tree, name) if i in modules()} - {name} for name, tree in modules().items()
    }


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += graph[name]
    return seen


def test_functions_are_short():
    sizes = sorted((lines_of(f), name) for name, f in functions())
    lines = [n for n, _ in sizes]
    longest = ", ".join(f"{name} {n}" for n, name in reversed(sizes[-8:]))
    assert statistics.median(lines) <= 9, longest
    assert lines[int(len(lines) * 0.9)] <= 32, longest
    assert sum(n > 60 for n in lines) <= 0.01 * len(lines), longest


def test_every_function_says_what_it_returns():
    bare = [name for name, f in functions() if f.returns is None]
    assert not bare, f"no return type: {', '.join(bare)}"


def test_modules_import_one_another_without_cycles():
    graph = import_graph()
    circular = sorted(name for name in graph if name in reachable(graph, name))
    assert not circular, f"modules on an import cycle: {', '.join(circular)}"


@pytest.mark.parametrize("spelling", ["import b", "from b import x", "from . import b", "from .b import x"])
def test_every_spelling_of_an_import_is_seen(spelling, monkeypatch):
    tree = ast.parse(f"def lazily() -> None:\n    {spelling}\n")
    monkeypatch.setitem(modules(), "service.b", tree)
    found = set(imports_at_load(tree, "service.a"))
    assert found & {"b", "service.b"}


def test_every_module_and_every_public_name_is_described():
    bare = [name for name, tree in modules().items() if tree.body and not ast.get_docstring(tree)]
    assert not bare, f"no docstring: {', '.join(bare)}"
