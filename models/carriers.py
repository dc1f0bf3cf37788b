"""The energy carriers of a site."""

from enum import StrEnum


class Carrier(StrEnum):
    """What flows in a network; powers are in kW on all of them (gas by lower heating value)."""

    ELECTRICITY = "electricity"
    HEAT = "heat"
    GAS = "gas"
    COLD = "cold"
    HYDROGEN = "hydrogen"
    WATER = "water"
    """Metered only; its flow is in m3/h, and it takes no part in energy balances."""


ENERGY_CARRIERS = (Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS, Carrier.COLD, Carrier.HYDROGEN)
