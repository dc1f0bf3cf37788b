"""Modbus/TLS with certificates on both sides: who may talk, and what is said when somebody may not."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from hil.bridge import Bridge, DeviceLost
from hil.clocks import ScaledClock
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.maps.bind import check_devices
from models.errors import MapError
from models.ports import Command, Outcome, Quality
from models.site import Device, Tls
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 12, tzinfo=UTC)
NAMES = Tls(
    authority="ca.pem", certificate="bridge.pem", key="bridge.key", device_certificate="chp.pem", device_key="chp.key"
)


def write_certificates(folder, authority, host="127.0.0.1"):
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, identity in (("bridge", "bridge.site"), ("chp", host)):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")


@pytest.fixture
def site(tmp_path):
    write_certificates(tmp_path, trustme.CA())
    whole = emulated_site(tmp_path)
    engine = Device(id="chp", asset="chp", map="gas_engine_chp", port=0, poll_s=0.1, tls=NAMES)
    return replace(whole, devices=(engine,))


def wanted(now):
    return Command("c1", "chp", "setpoint_kw", 300.0, now, "planner", now + timedelta(minutes=5))


def commanded(site, folder, bridge_tls=NAMES):
    """Serve the site over TLS, command it through a bridge, and return receipt, events, device and the journal's outcome."""

    async def main():
        events, clock = [], ScaledClock(START, 1.0)
        async with Fleet(site, EmulatedPlant(site, 1, START), clock, server="own") as fleet:
            seen = replace(fleet.site, devices=tuple(replace(d, tls=bridge_tls) for d in fleet.site.devices))
            async with Bridge(seen, clock, folder / "journal.sqlite", events.append, frame_life_s=0.2) as bridge:
                receipt = await bridge.write(wanted(clock.now()))
                quality = bridge.quality("chp")
                kept = bridge.journal.rows("SELECT outcome, code FROM outcomes")
            return receipt, quality, events, fleet.devices["chp"].writes, kept

    return asyncio.run(asyncio.wait_for(main(), 30))


def test_with_the_right_certificates_the_bridge_reads_and_writes(site, tmp_path):
    receipt, quality, _, writes, _ = commanded(site, tmp_path)
    assert (receipt.outcome, quality, writes) == (Outcome.APPLIED, Quality.GOOD, 1)


def test_a_device_of_a_strange_authority_is_refused_in_words(site, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    receipt, quality, events, writes, kept = commanded(site, tmp_path, replace(NAMES, authority="other.pem"))
    assert (receipt.outcome, receipt.code, writes) == (Outcome.NO, "unreachable", 0)
    assert "its certificate is not trusted" in receipt.message
    assert quality is Quality.BAD
    assert kept == [("no", "unreachable")]
    assert any("certificate is not trusted" in e.words for e in events if isinstance(e, DeviceLost))


def test_a_device_that_is_not_who_it_should_be_is_refused(site, tmp_path):
    receipt, _, _, writes, _ = commanded(site, tmp_path, replace(NAMES, server_name="engine.site"))
    assert (receipt.outcome, writes) == (Outcome.NO, 0)
    assert "engine.site" in receipt.message


def test_a_bridge_that_the_device_does_not_know_cannot_command_it(site, tmp_path):
    stranger = trustme.CA().issue_cert("bridge.site")
    stranger.private_key_pem.write_to_path(tmp_path / "stranger.key")
    stranger.cert_chain_pems[0].write_to_path(tmp_path / "stranger.pem")
    tls = replace(NAMES, certificate="stranger.pem", key="stranger.key")
    receipt, quality, _, writes, _ = commanded(site, tmp_path, tls)
    assert (receipt.outcome, writes, quality) == (Outcome.NO, 0, Quality.BAD)
    assert "does it accept our certificate?" in receipt.message


def test_a_device_that_speaks_no_tls_is_told_apart(site, tmp_path):
    plain = replace(site, devices=tuple(replace(d, tls=None) for d in site.devices))
    receipt, _, _, writes, _ = commanded(plain, tmp_path)
    assert (receipt.outcome, writes) == (Outcome.NO, 0)


def test_every_wrong_file_is_found_before_anything_is_sent(site, tmp_path):
    (tmp_path / "text.pem").write_text("not a certificate")
    trustme.CA().issue_cert("x.site").private_key_pem.write_to_path(tmp_path / "other.key")
    wrong = (
        replace(NAMES, authority="gone.pem"),
        replace(NAMES, authority="text.pem"),
        replace(NAMES, key="other.key"),
        replace(NAMES, certificate="text.pem"),
    )
    devices = tuple(replace(site.devices[0], id=f"chp{k}", port=8000 + k, tls=tls) for k, tls in enumerate(wrong))
    rtu = replace(site.devices[0], id="serial", port=9000, framer="rtu")
    shared = replace(site.devices[0], id="second", port=9000, unit_id=2, tls=None)
    broken = replace(site, devices=(*devices, rtu, shared))
    words = " / ".join(f.message for f in check_devices(broken))
    for part in (
        "gone.pem is not there",
        "text.pem holds no certificate of an authority",
        "belong to different certificates",
        "are not a certificate and its key",
        "RTU frames do not go over TLS",
        "has one TLS for all of its units",
    ):
        assert part in words
    with pytest.raises(MapError):
        Bridge(broken, ScaledClock(START, 1.0))


def test_no_version_of_tls_below_1_2_is_spoken(site, tmp_path):
    from hil.certificates import client_context, server_context

    assert client_context(NAMES, tmp_path).minimum_version is ssl.TLSVersion.TLSv1_2
    assert server_context(NAMES, tmp_path).verify_mode is ssl.CERT_REQUIRED
