"""After warming up, running the product compiles nothing more."""

import subprocess
import sys

import pytest

from models.networks import kept

RUN = """
import sys
from datetime import datetime, timezone
from numba.core.dispatcher import Dispatcher
from models.networks.warm import warm_gas, warm_grid, warm_pipes


def compiled():
    return {
        f"{name}.{key}": len(value.signatures)
        for name, module in list(sys.modules.items()) if name.startswith("models.networks.")
        for key, value in vars(module).items() if isinstance(value, Dispatcher)
    }


warm_grid(), warm_pipes(), warm_gas()
before = compiled()

from models.networks.electricity import sensitivities
from models.networks.electricity.reference import to_pandapower  # noqa
from models.site.file import load_site
from service.commands.flow import state_at
from service.places import PARK
from twin.estimate.live import LiveEstimator

site = load_site(PARK)
state_at(site, datetime(2015, 1, 15, 2, tzinfo=timezone.utc), 1)
estimator = LiveEstimator(site)
for second in (0, 60):
    estimator.update([], datetime(2015, 1, 15, 2, second // 60, tzinfo=timezone.utc))
after = compiled()
more = {name: (before.get(name), count) for name, count in after.items() if before.get(name) != count}
print(len(before), "loops", more)
sys.exit(1 if more or not before else 0)
"""


def test_the_park_compiles_nothing_that_was_not_warmed_up():
    run = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]


def test_a_changed_loop_is_noticed_and_another_module_is_not(tmp_path, monkeypatch: pytest.MonkeyPatch):
    loop, other = tmp_path / "loop.py", tmp_path / "other.py"
    loop.write_text("from models.networks.jit import compiled\n")
    other.write_text("x = 1\n")
    (tmp_path / "__pycache__").mkdir()
    monkeypatch.setattr(kept, "HERE", tmp_path)
    monkeypatch.setattr(kept, "STAMP", tmp_path / "__pycache__" / "warm.txt")
    assert not kept.is_warm()
    kept.keep()
    assert kept.is_warm()
    other.write_text("x = 2\n")
    assert kept.is_warm()
    loop.write_text(loop.read_text() + "y = 1\n")
    assert not kept.is_warm()


def test_forgetting_removes_what_was_compiled(tmp_path, monkeypatch: pytest.MonkeyPatch):
    cache = tmp_path / "sub" / "__pycache__"
    cache.mkdir(parents=True)
    for name in ("a.nbi", "a.1.nbc", "a.pyc"):
        (cache / name).touch()
    monkeypatch.setattr(kept, "HERE", tmp_path)
    monkeypatch.setattr(kept, "STAMP", cache / "warm.txt")
    kept.forget()
    assert [p.name for p in cache.iterdir()] == ["a.pyc"]
