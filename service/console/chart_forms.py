"""In which forms charts and reports leave the console."""

from enum import StrEnum

from fastapi import Response
from fastapi.responses import JSONResponse

from service.console.charts import Chart, as_csv, as_excel, drawn, table_of

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ChartForm(StrEnum):
    """How a chart can be fetched."""

    JSON = "json"
    CSV = "csv"
    EXCEL = "xlsx"


def sent(made: Chart, form: ChartForm, time_zone: str) -> Response:
    """Return a chart in a form."""
    if form is ChartForm.JSON:
        return JSONResponse(drawn(made))
    rows = table_of(made, time_zone)
    told = {"Content-Disposition": f'attachment; filename="{made.name}.{form.value}"'}
    if form is ChartForm.CSV:
        return Response(as_csv(rows), media_type="text/csv", headers=told)
    return Response(as_excel(rows, made.name), media_type=EXCEL, headers=told)
