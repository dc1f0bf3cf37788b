"""The command on gas in pipes: it says when it does not matter, and what it carries where it does."""

from contextlib import closing
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from models.site.site import Networks
from optimizers.dispatch import Dispatcher
from scenarios.sites import park_path
from service.commands import linepack
from tests.optimizers.problems import consumer, gas, hours, problem_of, site_of
from tests.optimizers.test_linepack import PIPE


def test_the_parks_gas_is_left_out_of_plans(capsys):
    assert linepack.linepack_day(park_path(), date(2015, 4, 22), seed=1, deadline_s=60.0) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "park_gas: the pipes hold 159 kWh" in said
    assert "less than a step of 900 s, so plans need not know them" in said


def test_a_long_pipe_carries_a_swing_that_its_supply_cannot(capsys):
    plain = site_of([gas(import_max_kw=350_000.0), consumer("gas")])
    mill = plain.asset("mill")
    moved = replace(mill, demands=tuple(replace(d, node="b") for d in mill.demands))
    site = replace(plain, assets=(plain.asset("gas"), moved), networks=Networks(gas=(PIPE,)))
    swing = 300_000.0 * (1 + 0.3 * np.sin(np.arange(24) / 24 * 2 * np.pi))
    with closing(Dispatcher()) as planner:
        plan = planner.dispatch(problem_of(site, hours(24), {"mill_gas_kw": swing}))
    assert float(plan.unserved_kw.sum()) > 100_000.0
    assert linepack.asked_kw(site, PIPE, plan).to_numpy()[0] == pytest.approx(swing)
    assert linepack._network_day(site, PIPE, plan) == pytest.approx(0.0, abs=1.0)
    said = " ".join(capsys.readouterr().out.split())
    assert "so they are planned with" in said
    assert "with the pipes 0 kWh" in said
