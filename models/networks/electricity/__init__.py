"""Electric power flow: a reference by pandapower and an own batch engine that agrees with it."""

from models.networks.electricity.flow import solve_electricity

__all__ = ["solve_electricity"]
