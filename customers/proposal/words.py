"""The words of proposals, English and Chinese, from the file beside this one."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

UNITS: Mapping[str, Mapping[str, str]] = {"zh": {"points": "个充电位", "MWh/a": "MWh/年"}, "en": {}}


@lru_cache(maxsize=1)
def words() -> Mapping[str, Mapping[str, str]]:
    """Return every word by language and name."""
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))
    return found
