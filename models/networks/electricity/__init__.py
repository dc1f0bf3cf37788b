"""Electric power flow: a reference by pandapower and an own batch engine that agrees with it."""

from models.networks.electricity.flow import solve_electricity
from models.networks.electricity.outages import n1
from models.networks.electricity.sensitivity import sensitivities

__all__ = ["n1", "sensitivities", "solve_electricity"]
