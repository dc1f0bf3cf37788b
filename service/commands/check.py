"""``check`` and ``schema``: is a site file right, and what may stand in it."""

import json
from pathlib import Path

from rich.markup import escape

from models.findings import Finding, errors_in
from models.site import Site
from service.commands.screen import console, count, findings_table


def check_file(path: Path) -> int:
    """Print everything worth saying about a site file and return the exit code: 1 with errors, else 0."""
    from hil.maps.bind import check_devices
    from models.site.file import read_site

    site, findings = read_site(path, check_devices)
    if findings:
        console.print(findings_table(findings))
    errors = errors_in(findings)
    if site is None or errors:
        console.print(f"[bold red]{escape(str(path))} cannot be used:[/] {count(len(errors), 'error')}, see above")
        return 1
    console.print(_summary(site, path, findings))
    return 0


def print_schema() -> None:
    """Print the JSON Schema of the site format, ready to be saved beside a site file."""
    from models.site.file import site_schema

    print(json.dumps(site_schema(), indent=2, ensure_ascii=False))


def _summary(site: Site, path: Path, findings: list[Finding]) -> str:
    carriers = ", ".join(c.value for c in site.carriers)
    parts = [
        count(len(site.assets), "asset"),
        count(len(site.customers), "customer"),
        count(len(site.devices), "device"),
        count(sum(1 for _ in site.networks), "network"),
    ]
    left = f", {count(len(findings), 'warning')}" if findings else ""
    return f"[bold green]{escape(str(path))} is right[/]{left}: {escape(site.title)}; {carriers}; {', '.join(parts)}"
