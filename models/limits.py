"""What a unit can run at, from its parameters: said once for set-points and for the bridge that refuses impossible ones."""

from models.components import Asset, Chp, ElectricChiller, Electrolyser, GasBoiler


def smallest_kw(asset: Asset) -> float:
    """Return the smallest power on the control carrier, other than 0, that an asset can run at; 0 where it can run at any."""
    match asset:
        case Chp():
            return asset.power_min_kw
        case GasBoiler():
            return asset.min_load_share * asset.heat_max_kw
        case ElectricChiller():
            return asset.min_load_share * asset.cold_max_kw
        case Electrolyser():
            return asset.min_load_share * asset.power_max_kw
        case _:
            return 0.0
