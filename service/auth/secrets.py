"""Secrets: made at random, told once, kept as hashes."""

import asyncio
import hmac
import struct
from base64 import b32decode, b32encode
from datetime import datetime
from hashlib import sha1, sha256
from secrets import token_bytes, token_urlsafe
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.findings import Finding, error

KEY_MARK = "jt_"
SECRET_BYTES = 32
PASSWORD_LEAST, PASSWORD_MOST = 12, 200
HASHER = PasswordHasher()
"""Argon2id with 64 MiB: a guess costs its maker what it costs us."""
AT_ONCE: Final = 2
"""So many passwords are looked at together; more would take the memory that the loop needs."""
STEP_S: Final = 30
DIGITS: Final = 6


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return KEY_MARK + token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret; a quick hash is enough for what nobody can guess."""
    return sha256(secret.encode()).hexdigest()


def password_findings(password: str, name: str) -> list[Finding]:
    """Return what is wrong with a password that somebody wants to have."""
    findings = []
    if len(password) < PASSWORD_LEAST:
        words = f"has {len(password)} characters; take {PASSWORD_LEAST} or more, a few words will do"
        findings.append(error("password", words))
    if name and name.lower() in password.lower():
        findings.append(error("password", "has the user's name in it; take another one"))
    if password and len(set(password)) < PASSWORD_LEAST // 2:
        findings.append(error("password", f"has {len(set(password))} different characters; take more of them"))
    return findings


class Passwords:
    """Hashes and verifies passwords beside the event loop, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        async with self._turn:
            return await asyncio.to_thread(HASHER.hash, password)

    async def fits(self, kept: str | None, password: str) -> bool:
        """Return whether a password is the one that is kept; takes as long where none is, so that nobody learns which names exist."""
        async with self._turn:
            return await asyncio.to_thread(_fits, kept, password)


def _fits(kept: str | None, password: str) -> bool:
    if kept is None:
        HASHER.hash(password)
        return False
    try:
        return HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def new_totp_secret() -> str:
    """Return a secret for an authenticator app."""
    return b32encode(token_bytes(20)).decode()


def totp(secret: str, step: int) -> str:
    """Return the code of a time step (RFC 6238, SHA-1, six digits, as every authenticator app has it)."""
    digest = hmac.new(b32decode(secret), struct.pack(">Q", step), sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


def totp_step(secret: str, code: str, now: datetime, used: int) -> int | None:
    """Return the time step whose code this is, None for any other code; one step of clock error is allowed, none is taken twice."""
    present = int(now.timestamp()) // STEP_S
    steps = [s for s in (present - 1, present, present + 1) if s > used]
    return next((s for s in steps if hmac.compare_digest(totp(secret, s), code)), None)
