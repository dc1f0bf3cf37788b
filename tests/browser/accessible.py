"""What keeps people out of a page."""

from axe_playwright_python.sync_playwright import Axe


def grave(page, *parts):
    """Return what axe-core finds serious or critical on a page, or in some parts of it, each with the element."""
    found = Axe().run(page, {"include": [[p] for p in parts]} if parts else None).response["violations"]
    return [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
