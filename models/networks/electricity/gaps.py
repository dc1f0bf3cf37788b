"""Empty cells of pandapower tables: what stands in for them, and the finding that says so."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from models.findings import Finding, warning

USUAL: Mapping[str, Mapping[str, float]] = {
    "bus": {"min_vm_pu": 0.9, "max_vm_pu": 1.1},
    "line": {"c_nf_per_km": 0.0, "g_us_per_km": 0.0, "max_i_ka": 1e3, "df": 1.0, "parallel": 1.0},
    "trafo": {"pfe_kw": 0.0, "i0_percent": 0.0, "shift_degree": 0.0, "parallel": 1.0},
    "load": {
        "p_mw": 0.0,
        "q_mvar": 0.0,
        "scaling": 1.0,
        "const_z_percent": 0.0,
        "const_i_percent": 0.0,
        "const_z_p_percent": 0.0,
        "const_i_p_percent": 0.0,
        "const_z_q_percent": 0.0,
        "const_i_q_percent": 0.0,
    },
    "sgen": {"p_mw": 0.0, "q_mvar": 0.0, "scaling": 1.0},
    "storage": {"p_mw": 0.0, "q_mvar": 0.0, "scaling": 1.0},
    "gen": {"p_mw": 0.0, "scaling": 1.0},
}
"""By table and column: the value that an empty cell usually means."""


def fill_gaps(net: Any) -> tuple[dict[str, Any], list[Finding]]:
    """Return the tables of a pandapower net with empty cells filled, and one warning per column that had some.

    The net itself stays as it is. Columns that a net does not have are left out, since older versions lack them.
    """
    tables: dict[str, Any] = dict(net.items())
    found: list[Finding] = []
    for name, columns in USUAL.items():
        table: pd.DataFrame = tables[name]
        gaps = {c: int(table[c].isna().sum()) for c in columns if c in table.columns and table[c].isna().any()}
        found += [
            warning(f"{name}.{c}", f"is empty in {n} of {len(table)} rows; {columns[c]:g} is taken there", value=n)
            for c, n in gaps.items()
        ]
        if gaps:
            tables[name] = table.fillna({c: columns[c] for c in gaps})
    return tables, found
