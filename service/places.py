"""Where shipped things lie."""

from pathlib import Path

import scenarios

PARK = Path(scenarios.__file__).parent / "sites" / "park" / "site.yaml"
"""The demo park that comes with the product."""

RECORDS = Path(".jouletwin")
"""Where a running service keeps what it writes, unless it is told otherwise."""
STORE = str(RECORDS / "store.sqlite")
RESULTS = RECORDS / "results"
