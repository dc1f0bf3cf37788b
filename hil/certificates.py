"""Modbus/TLS: certificates on both sides, read from the files that a site names, and what is wrong with them in words.

Source: MODBUS/TCP Security, protocol specification V2.1: TLS 1.2 or newer, and a certificate from either side.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path

from models.errors import SetupError
from models.findings import Finding, error
from models.site import Device, Tls


def client_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """Return what a client of a device shows and trusts; ``folder`` is where the site file lies.

    Raises
    ------
    SetupError
        If a file cannot be read, holds no certificate, or the key belongs to another one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _filled(context, tls, folder, tls.certificate, tls.key)


def server_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """Return what an emulated device shows, and whose clients it lets in; SetupError as for :func:`client_context`."""
    if not (tls.device_certificate and tls.device_key):
        raise SetupError("an emulated device needs tls.device_certificate and tls.device_key to answer over TLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _filled(context, tls, folder, tls.device_certificate, tls.device_key)


def check_tls(device: Device, folder: Path) -> Iterator[Finding]:
    """Yield what keeps a device from being reached over TLS."""
    if device.tls is None:
        return
    place = f"devices[{device.id}].tls"
    if device.framer != "socket":
        yield error(place, "RTU frames do not go over TLS; use the framer socket", device.id)
    try:
        client_context(device.tls, folder)
        if device.tls.device_certificate or device.tls.device_key:
            server_context(device.tls, folder)
    except SetupError as problem:
        yield error(place, str(problem), device.id)


def why_refused(problem: ssl.SSLError) -> str:
    """Return in words why no TLS connection was made."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({problem.verify_message}); nothing was sent"
    reason = (problem.reason or str(problem)).lower().replace("_", " ")
    return f"no TLS could be agreed ({reason}); does it speak Modbus/TLS? Nothing was sent"


def _filled(context: ssl.SSLContext, tls: Tls, folder: Path, certificate: str, key: str) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name in (tls.authority, certificate, key):
        if not (folder / name).is_file():
            raise SetupError(f"{folder / name} is not there; name a PEM file, relative to the site file")
    try:
        context.load_verify_locations(folder / tls.authority)
    except ssl.SSLError:
        raise SetupError(f"{folder / tls.authority} holds no certificate of an authority in PEM") from None
    try:
        context.load_cert_chain(folder / certificate, folder / key)
    except ssl.SSLError as problem:
        words = (
            "belong to different certificates"
            if "MISMATCH" in str(problem)
            else "are not a certificate and its key in PEM"
        )
        raise SetupError(f"{folder / certificate} and {folder / key} {words}") from None
    return context
