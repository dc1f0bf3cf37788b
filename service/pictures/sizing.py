"""Pictures of what to build: payments over the years, and cost against emissions."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from service.pictures.cases import BASE, CASE, LESS, MORE

MILLION = 1e6
KG_PER_T = 1000.0


def payments(data: xr.Dataset, currency: str) -> Figure:
    """Return what is saved and paid by year against nothing built, and how it adds up; not discounted."""
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.subplots()
    returns = data["returns"].to_numpy() / MILLION
    years = data["year"].to_numpy()
    axes.bar(years, returns, color=np.where(returns < 0, MORE, LESS), label="saved less paid")
    axes.plot(years, returns.cumsum(), color=CASE, marker="o", ms=3, label="adding up")
    axes.axhline(0.0, color="#333333", lw=0.6)
    axes.set_xlabel("year")
    axes.set_ylabel(f"million {currency}")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def front(data: xr.Dataset, currency: str) -> Figure:
    """Return the plans from the cheapest to the cleanest."""
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(data["front_co2_kg"] / KG_PER_T, data["front_cost"] / MILLION, "o-", color=CASE)
    axes.set_xlabel("CO2 in a mean year, t")
    axes.set_ylabel(f"present cost, million {currency}", color=BASE)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
