"""Sites, profiles, maps and tariffs that people bring: judged whole, every finding by row and column, nothing changed by a bad one."""

import gzip
import io
import zipfile
from tempfile import gettempdir

import pytest
import yaml
from openpyxl import Workbook

from models.sheets import UNPACKED_MOST
from service.documents import tables
from service.documents.tables import profile_csv
from service.places import PARK
from tests.service.apps import here, local_app

FLAT = "bands: [{name: flat, price_per_kwh: 0.5, windows: [{start_h: 0, end_h: 24}]}]"
PROFILES = "start_utc,load_kw,air_degc\n" + "".join(f"2015-01-01T{h:02}:00:00Z,{h},-{h}\n" for h in range(24))


@pytest.fixture
def http(running):
    with here(local_app(running)) as found:
        yield found


def bring(http, kind, name, content, **headers):
    return http.put(f"/api/v1/documents/{kind}/{name}", content=content, headers=headers)


def places(answer):
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [f["place"] for f in answer.json()["findings"]]


def workbook(rows):
    book, sink = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(sink)
    return sink.getvalue()


def test_documents_are_kept_by_version_replaced_and_removed(http):
    made = bring(http, "tariff", "flat", FLAT)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert bring(http, "tariff", "flat", FLAT).status_code == 428
    assert bring(http, "tariff", "other", FLAT, **{"If-Match": '"1"'}).status_code == 412
    dearer = FLAT.replace("0.5", "0.6")
    assert bring(http, "tariff", "flat", dearer, **{"If-Match": '"1"'}).status_code == 200
    assert bring(http, "tariff", "flat", FLAT, **{"If-Match": '"1"'}).status_code == 412
    found = http.get("/api/v1/documents/tariff/flat")
    assert (found.text, found.headers["etag"]) == (dearer, '"2"')
    bring(http, "profiles", "year", PROFILES)
    page = http.get("/api/v1/documents?limit=1").json()
    assert [d["name"] for d in page["items"]] == ["year"]
    assert [d["name"] for d in http.get(f"/api/v1/documents?after={page['next']}").json()["items"]] == ["flat"]
    assert http.delete("/api/v1/documents/tariff/flat", headers={"If-Match": '"2"'}).status_code == 200
    assert http.get("/api/v1/documents/tariff/flat").status_code == 404
    acts = [e["action"] for e in http.get("/api/v1/audit?thing=document/tariff/flat").json()["items"]]
    assert acts == ["document.removed", "document.kept", "document.kept"]


def test_profiles_come_as_text_or_as_a_workbook_and_are_the_same(http):
    rows = [line.split(",") for line in PROFILES.splitlines()]
    typed = [rows[0]] + [[at, int(load), float(air)] for at, load, air in rows[1:]]
    for name, content in (("text", PROFILES.encode()), ("sheet", workbook(typed))):
        assert bring(http, "profiles", name, content).status_code == 201
    text, sheet = (http.get(f"/api/v1/documents/profiles/{n}").text for n in ("text", "sheet"))
    assert text == PROFILES
    assert [[float(c) for c in r.split(",")[1:]] for r in sheet.splitlines()[1:]] == [
        [float(c) for c in r.split(",")[1:]] for r in text.splitlines()[1:]
    ]


WRONG = """start_utc,load_kw,pv,load_kw
2015-01-01T00:00:00Z,1,2,3
yesterday,x,2,3
2015-01-01T02:00:00Z,-1,nan,3
2015-01-01T02:00:00Z,1,2
"""


@pytest.mark.parametrize("as_workbook", [False, True])
def test_everything_wrong_with_profiles_is_told_by_row_and_column(http, as_workbook):
    content = workbook([r.split(",") for r in WRONG.splitlines()]) if as_workbook else WRONG
    assert places(bring(http, "profiles", "year", content)) == [
        "row 1, column pv",
        "row 1, column load_kw",
        "row 3, column start_utc",
        "row 3, column load_kw",
        "row 4, column load_kw",
        "row 4, column pv",
        "row 5, column start_utc",
        "row 5",
    ]
    assert http.get("/api/v1/documents").json()["items"] == []


def bomb():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (UNPACKED_MOST + 1))
    return sink.getvalue()


def test_a_zip_bomb_is_not_unpacked_and_a_broken_workbook_is_told(http):
    assert len(bomb()) < 2**18
    answer = bring(http, "profiles", "year", bomb())
    assert places(answer) == ["file"]
    assert "would unpack to 64 MiB" in answer.json()["findings"][0]["message"]
    assert places(bring(http, "profiles", "year", b"PK\x03\x04nothing")) == ["file"]
    assert places(bring(http, "profiles", "year", b"\xff\xff")) == ["file"]
    assert places(bring(http, "profiles", "year", b"")) == ["row 1", "row 1", "file"]
    assert bring(http, "profiles", "year", b"x" * (5 * 2**20)).status_code == 413


def test_findings_without_end_are_counted(monkeypatch):
    monkeypatch.setattr(tables, "TOLD_MOST", 5)
    with pytest.raises(Exception, match="19 more findings") as found:
        profile_csv(PROFILES.replace(":00Z,", ":00Z,x").encode())
    assert len(found.value.findings) == 6


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("kind", "content", "place"),
    [
        ("site", "format: jouletwin-site/1\nname: x\nassets: 3\n", "title"),
        ("site", "- 1\n", "the file"),
        ("site", LAUGHS, "line 2, column 8"),
        ("tariff", "\n".join("  " * k + "a:" for k in range(60)), "line 41"),
        ("tariff", "{a: ", "file"),
        ("tariff", b"\xff", "file"),
        ("tariff", "bands: [{name: n, price_per_kwh: 0.5, windows: [{start_h: 0, end_h: 9}]}]", "bands"),
        (
            "tariff",
            "bands: [{name: n, price_per_kwh: .nan, windows: [{start_h: 0, end_h: 24}]}]",
            "bands.0.price_per_kwh",
        ),
        ("tariff", "bands: [{name: n, price_per_kwh: much, windows: 7}]", "bands.0.price_per_kwh"),
        ("map", "name: x\npoints: 7\n", "maps.mine.points"),
    ],
)
def test_what_is_wrong_with_a_document_is_told_with_its_place_and_nothing_is_kept(http, kind, content, place):
    answer = bring(http, kind, "mine", content)
    assert any(p.startswith(place) for p in places(answer)), answer.text
    assert gettempdir() not in answer.text
    assert http.get("/api/v1/documents").json()["items"] == []


def test_what_is_wrong_in_a_map_or_a_tariff_is_told_with_its_line(http):
    tariff = bring(http, "tariff", "mine", "bands:\n  - name: flat\n    price_per_kwh: much\n    windows: 7\n")
    told = {f["place"]: f["message"] for f in tariff.json()["findings"]}
    assert told["bands.0.price_per_kwh"].endswith("(line 3)")
    assert told["bands.0.windows"].endswith("(line 4)")
    points = bring(http, "map", "mine", "name: mine\npoints:\n  - quantity: power_kw\n    register: 7\n")
    told = {f["place"]: f["message"] for f in points.json()["findings"]}
    assert told["maps.mine.points[0] power_kw.register"].endswith("(line 4)")
    assert told["maps.mine.points[0] power_kw.address"].endswith("(line 3)")


def test_names_that_are_paths_or_queries_are_no_names(http):
    for name in ("..", "%2e%2e%2fetc", "a;drop", "A", "x" * 61):
        assert bring(http, "tariff", name, FLAT).status_code in (404, 405, 422)


def own_site():
    document = yaml.safe_load(PARK.read_text())
    document["name"], document["title"] = "mine", "My park"
    document["profiles"]["file"] = "year.csv"
    return document


def test_a_site_of_ones_own_is_studied_with_its_own_profiles(http):
    """The whole way: profiles, then the site that names them, then a study of it."""
    document = own_site()
    text = yaml.safe_dump(document, allow_unicode=True)
    answer = bring(http, "site", "mine", text)
    assert "bring it first" in answer.text
    assert not [p for p in places(answer) if not p.startswith("profiles")]
    folder = PARK.parent
    source = yaml.safe_load(PARK.read_text())["profiles"]["file"]
    year = (folder / source).read_bytes()
    year = gzip.decompress(year) if source.endswith(".gz") else year
    assert bring(http, "profiles", "year", year).status_code == 201
    assert bring(http, "site", "mine", text).status_code == 201
    asked = {"kind": "flow", "at": "2015-07-15T12:00:00+08:00", "site": "mine"}
    assert http.post("/api/v1/jobs", json=asked).status_code == 202
    other = http.post("/api/v1/jobs", json=asked | {"site": "yours"})
    assert places(other) == ["site"]
