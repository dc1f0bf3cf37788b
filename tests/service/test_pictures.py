"""Pictures of networks: who stands where, which way a profile follows, what a sheet says."""

import numpy as np
import pytest
import xarray as xr

from models.errors import SetupError
from models.networks.data import Bus, ElectricNetwork, Line, Pipe, Switch
from models.site.file import load_site
from service.commands.year import year_states
from service.pictures.layout import path, single_line
from service.pictures.sheet import write_sheet
from service.places import PARK


def cable(name, start, end):
    return Line(
        id=name, from_bus=start, to_bus=end, length_km=1, r_ohm_per_km=0.1, x_ohm_per_km=0.1, current_max_ka=0.3
    )


def test_a_single_line_hangs_every_bus_below_the_one_that_feeds_it():
    grid = ElectricNetwork(
        id="g",
        buses=tuple(Bus(id=i, vn_kv=10) for i in "abcd"),
        lines=(cable("ring", "d", "c"), cable("ab", "a", "b"), cable("bc", "b", "c"), cable("bd", "b", "d")),
        switches=(Switch(id="s", bus="d", element="ring", kind="line", closed=False),),
        slack_bus="a",
    )
    plan = single_line(grid)
    assert {b: y for b, (_, y) in plan.place.items()} == {"a": 0, "b": 1, "c": 2, "d": 2}
    assert plan.place["c"][0] != plan.place["d"][0]
    assert plan.place["b"][0] == pytest.approx((plan.place["c"][0] + plan.place["d"][0]) / 2)
    assert [b.id for b in plan.rest] == ["ring"]


def tube(name, start, end, metres, **more):
    return Pipe(id=name, from_junction=start, to_junction=end, length_m=metres, inner_diameter_mm=80, **more)


def test_a_path_takes_the_shortest_open_way():
    pipes = [
        tube("direct", "plant", "x", 10, open=False),
        tube("one", "k", "plant", 100),
        tube("two", "k", "x", 50),
        tube("detour", "plant", "x", 500),
    ]
    assert path(pipes, "plant", "x") == (["plant", "k", "x"], [0.0, 100.0, 150.0])
    assert path(pipes, "plant", "nowhere") == ([], [])


@pytest.fixture(scope="module")
def park():
    site = load_site(PARK)
    return (
        site,
        [n for _, n in site.networks],
        {n: s.isel(time=0) for n, s in year_states(site, 2015, seed=1, hours=1).items()},
    )


def test_a_sheet_names_every_network_bus_and_unit(park, tmp_path):
    site, networks, states = park
    write_sheet(networks, states, "the park", tmp_path / "sheet.svg")
    text = (tmp_path / "sheet.svg").read_text()
    said = {part.strip() for part in text.replace("-->", "<!--").split("<!--")[1::2]}
    assert {b.id for n in site.networks.electricity for b in n.buses} <= said
    assert {"voltage, pu", "loading, %", "pressure, kPa (absolute)", "temperature, degC"} <= said
    assert all(any(s.startswith(n.id) for s in said) for _, n in site.networks)


def test_a_sheet_shows_a_dead_bus_and_is_a_picture(park, tmp_path):
    _, networks, states = park
    dark = states["park_20kv"].copy(deep=True)
    dark["vm_pu"] = xr.where(dark["bus"] == "bus_14", np.nan, dark["vm_pu"])
    write_sheet(networks, {"park_20kv": dark}, "one bus dead", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_picture_format_is_refused_in_words(park, tmp_path):
    _, networks, states = park
    with pytest.raises(SetupError, match=r"use one of \.png, \.svg"):
        write_sheet(networks, states, "x", tmp_path / "sheet.gif")
