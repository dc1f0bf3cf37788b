"""Electric power flow: a reference by pandapower and an own batch engine that agrees with it."""

from models.networks.electricity.flow import solve_electricity
from models.networks.electricity.linear import DcGrid, dc_grid, lindistflow, linear_flow, ptdf
from models.networks.electricity.outages import n1
from models.networks.electricity.sensitivity import sensitivities

__all__ = ["DcGrid", "dc_grid", "lindistflow", "linear_flow", "n1", "ptdf", "sensitivities", "solve_electricity"]
