"""Two-port admittances of lines and transformers in per unit of 1 MVA."""

import cmath
import math
from dataclasses import dataclass

from models.networks.data import Line, Transformer


@dataclass(frozen=True, slots=True)
class TwoPort:
    """Currents into both ends: ``i_from = ff v_from + ft v_to`` and ``i_to = tf v_from + tt v_to``."""

    ff: complex
    ft: complex
    tf: complex
    tt: complex

    def seen_from_open_end(self, *, from_open: bool) -> "TwoPort":
        """Return the branch with one end open: nothing flows there, the other end sees what is left (Kron)."""
        if from_open:
            return TwoPort(0j, 0j, 0j, self.tt - self.tf * self.ft / self.ff)
        return TwoPort(self.ff - self.ft * self.tf / self.tt, 0j, 0j, 0j)


def line_admittance(line: Line, vn_kv: float, frequency_hz: float) -> TwoPort:
    """Return one pi section in per unit of the from bus's rated voltage and 1 MVA."""
    base = line.parallel * vn_kv**2
    series = base / (complex(line.r_ohm_per_km, line.x_ohm_per_km) * line.length_km)
    charging = complex(line.g_us_per_km * 1e-6, 2 * math.pi * frequency_hz * line.c_nf_per_km * 1e-9)
    half = charging * line.length_km * base / 2
    return TwoPort(series + half, -series, -series, series + half)


def transformer_admittance(transformer: Transformer, hv_kv: float, lv_kv: float) -> TwoPort:
    """Return a transformer in per unit of the rated voltages of its buses and 1 MVA.

    Equivalent T circuit: leakage split in two halves with the iron branch between them, turned into a pi circuit by the
    star-delta rule and placed on the low-voltage side of an ideal transformer with complex ratio. A tap on the
    high-voltage side changes the ratio only; on the low-voltage side it scales the impedances too.

    Source: equivalent T circuit of the two-winding transformer, nameplate values after IEC 60076-1.
    """
    turned = 1 + (transformer.tap_pos - transformer.tap_neutral) * transformer.tap_step_percent / 100
    hv_rated = transformer.vn_hv_kv * (turned if transformer.tap_side == "hv" else 1.0)
    lv_rated = transformer.vn_lv_kv * (turned if transformer.tap_side == "lv" else 1.0)
    series, at_hv, at_lv = _pi_of_t(*_leakage_and_iron(transformer, (lv_rated / lv_kv) ** 2))
    ratio = cmath.rect((hv_rated / lv_rated) * (lv_kv / hv_kv), math.radians(transformer.shift_deg))
    return TwoPort(
        ff=(series + at_hv) / abs(ratio) ** 2,
        ft=-series / ratio.conjugate(),
        tf=-series / ratio,
        tt=series + at_lv,
    )


def _leakage_and_iron(transformer: Transformer, scale: float) -> tuple[complex, complex]:
    """Return leakage impedance and iron admittance in per unit; ``scale`` is the squared low-voltage ratio."""
    rated = transformer.rated_mva * transformer.parallel
    r = transformer.vkr_percent / 100
    x = math.sqrt((transformer.vk_percent / 100) ** 2 - r**2)
    loss_mw = transformer.iron_loss_kw / 1e3
    no_load_mva = transformer.no_load_current_percent / 100 * transformer.rated_mva
    magnetizing = math.sqrt(max(no_load_mva**2 - loss_mw**2, 0.0))
    return complex(r, x) * scale / rated, complex(loss_mw, -magnetizing) * transformer.parallel / scale


def _pi_of_t(leakage: complex, iron: complex) -> tuple[complex, complex, complex]:
    """Return series, high-voltage and low-voltage admittance of the pi circuit equal to the T circuit."""
    if iron == 0:
        return 1 / leakage, 0j, 0j
    half = leakage / 2
    total = half * half * iron + leakage
    return 1 / total, half * iron / total, half * iron / total
