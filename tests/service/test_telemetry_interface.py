"""Telemetry over HTTP: what goes in comes out in every form, page by page; what is wrong is told by row and column and changes nothing."""

import io
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.ports import Quality
from service.api.telemetry import endpoints
from service.client import Client
from service.telemetry import batches
from tests.service.apps import here, local_app

DAY = datetime(2026, 3, 1, tzinfo=UTC)
CSV, PARQUET = {"Content-Type": "text/csv"}, {"Content-Type": "application/vnd.apache.parquet"}
SPAN = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}


@pytest.fixture
def http(running):
    with here(local_app(running)) as found:
        yield found


def packed(**columns):
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_points_go_in_and_come_out_through_the_client(http):
    park = Client("", http=http)
    rows = [(DAY + timedelta(minutes=k), None if k == 3 else k / 8) for k in range(50)]
    kept = park.put_points({"a.kw": rows, "b.kw": rows[:2]})
    assert (kept.series, kept.points) == (2, 52)
    assert park.put_points({"a.kw": rows}).points == 50
    found = list(park.points("a.kw", DAY, DAY + timedelta(days=1)))
    assert [(at, value) for at, value, _ in found] == rows
    assert {quality for _, _, quality in found} == {Quality.GOOD}
    means = park.means(["a.kw", "none"], DAY, DAY + timedelta(hours=1))
    assert means.series[0].value[1] == pytest.approx(sum(range(15, 30)) / 8 / 15)
    assert means.series[0].count == [14, 15, 15, 5]
    assert means.series[1].value == [None] * 4


def test_pages_follow_one_another_without_gap_or_repeat(http):
    rows = [(DAY + timedelta(seconds=k), float(k)) for k in range(25)]
    Client("", http=http).put_points({"a.kw": rows})
    start, seen = SPAN["start"], []
    while start is not None:
        page = http.get("/api/v1/telemetry/points/a.kw", params=SPAN | {"start": start, "limit": 10}).json()
        seen += page["value"]
        start = page["next"]
    assert seen == [float(k) for k in range(25)]
    Client("", http=http).put_points({f"s{k:02}": rows[:1] for k in range(5)})
    first = http.get("/api/v1/telemetry/tags?limit=4").json()
    assert first == {"items": ["a.kw", "s00", "s01", "s02"], "next": "s02"}
    assert http.get("/api/v1/telemetry/tags?after=s02").json() == {"items": ["s03", "s04"], "next": None}


def test_tables_come_in_the_form_that_is_asked_for_and_go_in_again(http):
    told = "tag,at,value,quality\na.kw,2026-03-01T00:00:00Z,1.5,good\na.kw,2026-03-01T00:00:10+00:00,,bad\n"
    assert http.post("/api/v1/telemetry", content=told, headers=CSV).json() == {"series": 1, "points": 2}
    asked = "/api/v1/telemetry/points/a.kw"
    text = http.get(asked, params=SPAN, headers={"Accept": "text/csv"})
    assert text.headers["content-type"].startswith("text/csv")
    assert text.text.splitlines()[1:] == ["2026-03-01T00:00:00+00:00,1.5,good", "2026-03-01T00:00:10+00:00,,bad"]
    file = http.get(asked, params=SPAN, headers={"Accept": "application/vnd.apache.parquet"})
    assert parquet.read_table(io.BytesIO(file.content))["value"].to_pylist() == [1.5, None]
    means = http.get("/api/v1/telemetry/means", params=SPAN | {"tag": "a.kw", "every_s": 43200, "format": "csv"})
    assert means.text == "start,a.kw\n2026-03-01T00:00:00+00:00,1.5\n2026-03-01T12:00:00+00:00,\n"
    assert http.get(asked, params=SPAN, headers={"Accept": "image/png"}).status_code == 406
    again = packed(tag=["b.kw"] * 2, at=[DAY, DAY + timedelta(seconds=1)], value=[1.0, None])
    assert http.post("/api/v1/telemetry", content=again, headers=PARQUET).json()["points"] == 2


WRONG_CSV = (
    "tag,at,value\na b,2026-03-01T00:00:00Z,1\nok,yesterday,1\nok,2026-03-01T00:00:00,x\nok,2026-03-01T00:00:00Z,nan\n"
)


def told_of(answer):
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [f["place"] for f in answer.json()["findings"]]


def test_everything_wrong_with_a_file_is_told_by_row_and_column_and_nothing_is_kept(http):
    places = told_of(http.post("/api/v1/telemetry", content=WRONG_CSV, headers=CSV))
    expected = [
        "row 2, column tag",
        "row 3, column at",
        "row 4, column at",
        "row 4, column value",
        "row 5, column value",
    ]
    assert places == expected
    wrong = packed(tag=["ok", "no no"], at=[DAY, None], value=[1.0, float("inf")])
    places = told_of(http.post("/api/v1/telemetry", content=wrong, headers=PARQUET))
    assert places == ["row 2, column tag", "row 2, column at", "row 2, column value"]
    assert http.get("/api/v1/telemetry/tags").json()["items"] == []


@pytest.mark.parametrize(
    ("content", "kind", "place"),
    [
        (b"\xff\xfe", CSV, "file"),
        (b"", CSV, "column tag"),
        (b"tag,at\n", CSV, "column value"),
        (b"tag,at,value,tag\n", CSV, "column tag"),
        (b"tag,at,value,'; DROP TABLE tags\n", CSV, "column '; DROP TABLE tags"),
        (b'tag,at,value\n"a', CSV, "file"),
        (b"PAR1", PARQUET, "file"),
        (b"tag,at,value\n" + b"a,2026-03-01T00:00:00Z,1\n" * 30, CSV, "file"),
        (b'{"series": []}', {}, "series"),
        (b'{"series": [{"tag": "a", "at": ["2026-03-01T00:00Z"], "value": [NaN]}]}', {}, "series.0.value.0"),
        (b'{"series": [{"tag": "../a", "at": ["2026-03-01T00:00Z"], "value": [1]}]}', {}, "series.0.tag"),
        (b'{"series": [{"tag": "a", "at": ["2026-03-01T00:00"], "value": [1]}]}', {}, "series.0.at.0"),
        (b'{"series": [{"tag": "a", "at": ["2026-03-01T00:00Z"], "value": []}]}', {}, "series.0.value"),
        (b'{"series": [{"tag": "a", "at": ["9999-03-01T00:00Z"], "value": [1e999]}]}', {}, "series.0.value.0"),
        (b'{"series": [{"tag": "a", "at": ["1815-03-01T00:00Z"], "value": [1]}]}', {}, "series.0.at.0"),
        (b"not json", {}, "body"),
    ],
)
def test_what_is_no_batch_is_told_with_its_place(http, monkeypatch, content, kind, place):
    monkeypatch.setattr(batches, "ROWS_MOST", 20)
    headers = kind or {"Content-Type": "application/json"}
    assert told_of(http.post("/api/v1/telemetry", content=content, headers=headers))[0] == place
    assert http.get("/api/v1/telemetry/tags").json()["items"] == []


def test_a_file_that_would_fill_the_memory_is_not_opened(http):
    rows = 90_000
    zeros = pa.table({"tag": ["a" * 120] * rows, "at": [DAY] * rows, "value": [0.0] * rows})
    sink = io.BytesIO()
    parquet.write_table(zeros, sink, use_dictionary=False, compression="zstd")
    assert len(sink.getvalue()) < 2**20
    old = batches.UNPACKED_MOST
    try:
        batches.UNPACKED_MOST = 2**20
        answer = http.post("/api/v1/telemetry", content=sink.getvalue(), headers=PARQUET)
    finally:
        batches.UNPACKED_MOST = old
    assert "would unpack to" in answer.json()["findings"][0]["message"]


def test_a_long_text_that_every_row_repeats_is_never_spread_out(http):
    """A hundred thousand times a mebibyte, in a file of some kilobytes."""
    rows = 100_000
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["a" * 2**20]))
    content = packed(tag=long, at=pa.array([DAY] * rows), value=pa.array([0.0] * rows))
    assert len(content) < 2**17
    assert told_of(http.post("/api/v1/telemetry", content=content, headers=PARQUET)) == ["column tag"]


def test_columns_of_lists_are_not_taken(http):
    content = packed(tag=["a.kw"], at=[DAY], value=[[1.0, 2.0]])
    assert told_of(http.post("/api/v1/telemetry", content=content, headers=PARQUET)) == ["column value", "file"]


def test_other_media_and_impossible_questions_are_refused(http, monkeypatch):
    assert http.post("/api/v1/telemetry", content=b"x", headers={"Content-Type": "image/png"}).status_code == 415
    monkeypatch.setattr(endpoints, "POINTS_MOST", 10)
    for path, more in (
        ("points/none", {"end": SPAN["start"]}),
        ("points/none", {"start": "0001-01-01T00:00:00+14:00"}),
        ("means", {"tag": "a", "every_s": 1}),
        ("means", {}),
        ("points/none", {"start": "2026-03-01T00:00:00"}),
    ):
        assert http.get(f"/api/v1/telemetry/{path}", params=SPAN | more).status_code == 422, (path, more)
    assert http.get("/api/v1/telemetry/points/none", params=SPAN).status_code == 404
