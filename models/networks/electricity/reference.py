"""The same grids in pandapower: the reference that the batch engine is held against.

pandapower is imported by the functions, not by the module: it takes seconds.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from models.errors import FlowError
from models.networks.data import ElectricNetwork

SWITCH_KIND = {"bus": "b", "line": "l", "transformer": "t"}


def to_pandapower(network: ElectricNetwork) -> Any:
    """Return the grid as a pandapower net; names carry our ids, loads are left to the caller."""
    import pandapower as pp

    net = pp.create_empty_network(name=network.id, f_hz=network.frequency_hz, sn_mva=1.0)
    bus = {b.id: pp.create_bus(net, vn_kv=b.vn_kv, name=b.id) for b in network.buses}
    pp.create_ext_grid(net, bus[network.slack_bus], vm_pu=network.slack_vm_pu, va_degree=network.slack_angle_deg)
    line = _add_lines(net, network, bus)
    transformer = _add_transformers(net, network, bus)
    element = {"bus": bus, "line": line, "transformer": transformer}
    for s in network.switches:
        pp.create_switch(
            net, bus[s.bus], element[s.kind][s.element], et=SWITCH_KIND[s.kind], closed=s.closed, name=s.id
        )
    for shunt in network.shunts:
        pp.create_shunt(net, bus[shunt.bus], q_mvar=-shunt.q_kvar / 1e3, p_mw=-shunt.p_kw / 1e3, name=shunt.id)
    for control in network.voltage_controls:
        pp.create_gen(net, bus[control.bus], p_mw=0.0, vm_pu=control.vm_pu, name=control.id)
    return net


def _add_lines(net: Any, network: ElectricNetwork, bus: Mapping[str, int]) -> dict[str, int]:
    import pandapower as pp

    return {
        line.id: pp.create_line_from_parameters(
            net,
            bus[line.from_bus],
            bus[line.to_bus],
            length_km=line.length_km,
            r_ohm_per_km=line.r_ohm_per_km,
            x_ohm_per_km=line.x_ohm_per_km,
            c_nf_per_km=line.c_nf_per_km,
            g_us_per_km=line.g_us_per_km,
            max_i_ka=line.current_max_ka,
            parallel=line.parallel,
            in_service=line.in_service,
            name=line.id,
        )
        for line in network.lines
    }


def _add_transformers(net: Any, network: ElectricNetwork, bus: Mapping[str, int]) -> dict[str, int]:
    import pandapower as pp

    return {
        t.id: pp.create_transformer_from_parameters(
            net,
            bus[t.hv_bus],
            bus[t.lv_bus],
            sn_mva=t.rated_mva,
            vn_hv_kv=t.vn_hv_kv,
            vn_lv_kv=t.vn_lv_kv,
            vk_percent=t.vk_percent,
            vkr_percent=t.vkr_percent,
            pfe_kw=t.iron_loss_kw,
            i0_percent=t.no_load_current_percent,
            shift_degree=t.shift_deg,
            tap_side=t.tap_side,
            tap_pos=t.tap_pos,
            tap_neutral=t.tap_neutral,
            tap_step_percent=t.tap_step_percent,
            tap_changer_type="Ratio",
            parallel=t.parallel,
            in_service=t.in_service,
            name=t.id,
        )
        for t in network.transformers
    }


def run_reference(network: ElectricNetwork, p_kw: Mapping[str, float], q_kvar: Mapping[str, float]) -> xr.Dataset:
    """Return one step solved by pandapower's Newton; powers per bus, positive feeds the network.

    Returns ``vm_pu``, ``angle_deg`` (bus), ``loading_share`` (branch), ``loss_kw``, ``slack_p_kw``, ``slack_q_kvar``.
    Raises ``FlowError`` when pandapower does not converge.
    """
    net = to_pandapower(network)
    set_power(net, network, p_kw, q_kvar)
    run_net(net, network.id)
    return results_of(net)


def set_power(net: Any, network: ElectricNetwork, p_kw: Mapping[str, float], q_kvar: Mapping[str, float]) -> None:
    """Add the power fed into each bus to a net of ``to_pandapower``."""
    import pandapower as pp

    held = {control.bus for control in network.voltage_controls}
    for at, bus in enumerate(network.buses):
        p, q = p_kw.get(bus.id, 0.0), q_kvar.get(bus.id, 0.0)
        if p or q:
            pp.create_sgen(net, at, p_mw=p / 1e3, q_mvar=0.0 if bus.id in held else q / 1e3)


def run_net(net: Any, name: str) -> None:
    """Run pandapower's power flow to 1e-9 MVA with transformer phase shifts."""
    import pandapower as pp

    try:
        pp.runpp(net, calculate_voltage_angles=True, tolerance_mva=1e-9, trafo_model="t", init="dc", max_iteration=30)
    except pp.LoadflowNotConverged as problem:
        raise FlowError(
            f"{name}: the reference power flow does not converge; reduce the load or check the data"
        ) from problem


def results_of(net: Any) -> xr.Dataset:
    """Return the results of a solved net in house units."""
    loading = np.concatenate([net.res_line.loading_percent, net.res_trafo.loading_percent]) / 100
    loss_mw = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
    return xr.Dataset(
        {
            "vm_pu": ("bus", net.res_bus.vm_pu.to_numpy()),
            "angle_deg": ("bus", net.res_bus.va_degree.to_numpy()),
            "loading_share": ("branch", loading),
            "loss_kw": float(loss_mw) * 1e3,
            "slack_p_kw": float(net.res_ext_grid.p_mw.sum()) * 1e3,
            "slack_q_kvar": float(net.res_ext_grid.q_mvar.sum()) * 1e3,
        },
        coords={"bus": list(net.bus.name), "branch": [*net.line.name, *net.trafo.name]},
    )
