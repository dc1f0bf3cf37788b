"""How much to buy on top against forecast errors: the newsvendor's quantile of what net load turned out beside its forecast."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def newsvendor_kwh(errors_kwh: Floats, short_per_kwh: float, long_per_kwh: float) -> Floats:
    """Return what to buy on top in each interval, shape (step,); below 0 where being long costs more than being short.

    Parameters
    ----------
    errors_kwh
        What net load was beyond its forecast on earlier days, shape (day, step).
    short_per_kwh, long_per_kwh
        What a kWh too little and too much costs beside the market's price. Equal prices, or none, ask for no margin: the curve is the mean
        of its futures already.

    Raises
    ------
    ValueError
        If a price is negative: a deviation that earns leaves no finite margin.

    Source: Arrow, Harris and Marschak, Optimal inventory policy, Econometrica 19 (1951), the critical ratio.
    """
    if short_per_kwh < 0 or long_per_kwh < 0:
        raise ValueError(f"deviations cost {short_per_kwh:g} and {long_per_kwh:g} per kWh; neither may earn")
    both = short_per_kwh + long_per_kwh
    if both == 0 or short_per_kwh == long_per_kwh or not len(errors_kwh):
        return np.zeros(errors_kwh.shape[-1])
    away = errors_kwh - np.median(errors_kwh, axis=0)
    found: Floats = np.quantile(away, short_per_kwh / both, axis=0)
    return found
