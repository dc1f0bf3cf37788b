"""Electric power flow: a reference by pandapower and an own batch engine that agrees with it."""

from models.networks.electricity.flow import solve_electricity
from models.networks.electricity.sensitivity import sensitivities

__all__ = ["sensitivities", "solve_electricity"]
