"""Tables of the interface: the same columns as JSON, CSV or Parquet, whichever the Accept header asks for."""

import csv
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Query, Response

CSV, PARQUET, JSON = "text/csv", "application/vnd.apache.parquet", "application/json"


class TableForm(StrEnum):
    """How a table can be fetched."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA = {TableForm.JSON: JSON, TableForm.CSV: CSV, TableForm.PARQUET: PARQUET}
TABLES: dict[int | str, dict[str, Any]] = {
    200: {"content": {m: {"schema": {"type": "string", "format": "binary"}} for m in (CSV, PARQUET)}}
}
"""What a route that answers tables adds to its description."""


async def _chosen(
    form: Annotated[TableForm | None, Query(alias="format", description="in place of Accept")] = None,
    accept: Annotated[str, Header(description="application/json, text/csv or application/vnd.apache.parquet")] = "*/*",
) -> TableForm:
    """Return the first form that an Accept header names; JSON for anything, 406 for nothing of ours."""
    if form is not None:
        return form
    for media in (part.partition(";")[0].strip().lower() for part in accept.split(",")):
        if media in ("*/*", "application/*"):
            return TableForm.JSON
        for known, name in MEDIA.items():
            if media in (name, "text/*" if known is TableForm.CSV else name):
                return known
    raise HTTPException(406, f"A table comes as {', '.join(MEDIA.values())}; ask with Accept or ?format=")


Chosen = Annotated[TableForm, Depends(_chosen)]
"""In which form a table is wanted."""


def table(form: TableForm, columns: Mapping[str, Sequence[object]], name: str) -> Response:
    """Return columns of equal length as a file to be saved."""
    content = _csv(columns) if form is TableForm.CSV else _parquet(columns)
    told = {"Content-Disposition": f'attachment; filename="{name}.{form.value}"'}
    return Response(content, media_type=MEDIA[form], headers=told)


def _csv(columns: Mapping[str, Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _parquet(columns: Mapping[str, Sequence[object]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(pa.table({name: list(values) for name, values in columns.items()}), sink, compression="zstd")
    return sink.getvalue()
