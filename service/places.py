"""Where shipped things lie."""

from pathlib import Path

import scenarios

PARK = Path(scenarios.__file__).parent / "sites" / "park" / "site.yaml"
"""The demo park that comes with the product."""
