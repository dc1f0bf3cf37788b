"""Coming in through somebody else's door: OpenID Connect, the code flow with PKCE, a state and a nonce that are used once.

Who comes in, and with which roles, the provider says; nobody gets a role that it does not name. Everything is told in the environment:
``JOULETWIN_OIDC_ISSUER``, ``..._CLIENT_ID``, ``..._CLIENT_SECRET``; where roles are not in the claim ``roles``, ``..._ROLES_CLAIM`` (a path
with dots, like ``realm_access.roles``); where they have other names there, ``..._ROLES`` (``control room=operator,planning=planner``);
and ``..._TENANT`` where people are not those of the site that runs here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from secrets import token_urlsafe
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from models.errors import SetupError
from service.auth.doors import HOME, NotLetInError
from service.auth.roles import Role, roles_of

PREFIX = "JOULETWIN_OIDC_"
NEEDED = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
PENDING_S = 600.0
PENDING_MOST = 1000
TIMEOUT_S = 10.0
LEEWAY_S = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures with a public key alone: a provider's token is never taken for one that we could have signed ourselves."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Which provider is asked, and as whom."""

    issuer: str
    client_id: str
    client_secret: str
    roles_claim: str = "roles"
    roles: Mapping[str, Role] = field(default_factory=dict)
    """The provider's names for our roles; empty where it has our own."""
    tenant: str = HOME


@dataclass(frozen=True, slots=True)
class Introduced:
    """Somebody of whom the provider says who they are; ``subject`` is theirs for good, the name may change."""

    subject: str
    name: str
    roles: frozenset[Role]
    tenant: str


@dataclass(frozen=True, slots=True)
class _Begun:
    nonce: str
    verifier: str
    until_s: float


def oidc_settings(environment: Mapping[str, str]) -> OidcSettings | None:
    """Return what the environment says of a provider, None where it says nothing.

    Raises
    ------
    SetupError
        If it says half of it, or names an issuer that anybody on the way could play.
    """
    told = {n: environment.get(f"{PREFIX}{n}", "") for n in NEEDED}
    if not any(told.values()):
        return None
    if missing := [f"{PREFIX}{n}" for n, value in told.items() if not value]:
        raise SetupError(f"login through a provider needs {', '.join(missing)} too; they belong into the environment")
    place = urlsplit(told["ISSUER"])
    if place.scheme != "https" and not (place.scheme == "http" and _loopback(place.hostname or "")):
        raise SetupError(f"{PREFIX}ISSUER is {told['ISSUER']}; it has to begin with https://")
    claim = environment.get(f"{PREFIX}ROLES_CLAIM", "") or "roles"
    names = _role_names(environment.get(f"{PREFIX}ROLES", ""))
    tenant = environment.get(f"{PREFIX}TENANT", "") or HOME
    return OidcSettings(told["ISSUER"].rstrip("/"), told["CLIENT_ID"], told["CLIENT_SECRET"], claim, names, tenant)


def _role_names(text: str) -> Mapping[str, Role]:
    """Return which role a provider's name stands for, from ``name=role,name=role``."""
    pairs = [pair.rpartition("=") for pair in text.split(",") if pair.strip()]
    known = {r.value: r for r in Role}
    if wrong := [role.strip() for _, _, role in pairs if role.strip() not in known]:
        raise SetupError(f"{PREFIX}ROLES: there is no role {', '.join(wrong)}; a pair is NAME={'|'.join(known)}")
    return {name.strip(): known[role.strip()] for name, _, role in pairs}


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Provider:
    """The door of a provider; one per service."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._begun: OrderedDict[str, _Begun] = OrderedDict()

    async def begin(self, back_to: str) -> tuple[str, str]:
        """Return where a browser is to be sent, and the state that it has to come back with.

        Raises
        ------
        NotLetInError
            If the provider cannot be asked.
        """
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        about, _ = await self._about()
        state, nonce, verifier = token_urlsafe(24), token_urlsafe(24), token_urlsafe(48)
        self._begun[state] = _Begun(nonce, verifier, monotonic() + PENDING_S)
        if len(self._begun) > PENDING_MOST:
            self._begun.popitem(last=False)
        client = AsyncOAuth2Client(
            self._settings.client_id,
            redirect_uri=back_to,
            scope="openid profile email",
            code_challenge_method="S256",
        )
        place, _ = client.create_authorization_url(
            about["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )
        return place, state

    async def finish(self, state: str, code: str, back_to: str) -> Introduced:
        """Return who came back with a code.

        Raises
        ------
        NotLetInError
            If the state was not begun here or was used, or the provider's answer does not prove who it is.
        """
        begun = self._begun.pop(state, None)
        if begun is None or begun.until_s < monotonic():
            raise NotLetInError("this login was not begun here, or too long ago; begin again")
        about, keys = await self._about()
        try:
            token = await self._token(about["token_endpoint"], code, back_to, begun.verifier)
            claims = self._proven(token, keys, about["issuer"], begun.nonce)
        except (
            Exception
        ) as fault:  # whatever the libraries find wrong with a stranger's answer: nobody comes in with it
            raise NotLetInError(f"the provider's answer does not hold ({type(fault).__name__})") from None
        return self._introduced(claims)

    async def _about(self) -> tuple[Mapping[str, Any], Any]:
        """Return what the provider says of itself, and its keys: asked each time, since keys are renewed."""
        place = f"{self._settings.issuer}/.well-known/openid-configuration"
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
                about = (await http.get(place)).raise_for_status().json()
                keys = (await http.get(about["jwks_uri"])).raise_for_status().json()
        except (httpx.HTTPError, KeyError, ValueError) as fault:
            raise NotLetInError(f"the provider cannot be asked ({type(fault).__name__}); try again") from None
        if str(about.get("issuer", "")).rstrip("/") != self._settings.issuer:
            raise NotLetInError("the provider is not the one that was named")
        return about, keys

    async def _token(self, endpoint: str, code: str, back_to: str, verifier: str) -> str:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        mine = self._settings
        async with AsyncOAuth2Client(
            mine.client_id, mine.client_secret, redirect_uri=back_to, timeout=TIMEOUT_S
        ) as client:
            answer = await client.fetch_token(endpoint, code=code, code_verifier=verifier)
        return str(answer["id_token"])

    def _proven(self, token: str, keys: Any, issuer: str, nonce: str) -> Mapping[str, Any]:
        """Return the claims of an ID token once signature, issuer, audience, times and nonce hold."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet

        found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        told = {"client_id": self._settings.client_id, "nonce": nonce}
        claims = CodeIDToken(found.claims, found.header, options, told)
        claims.validate(leeway=LEEWAY_S)
        return dict(claims)

    def _introduced(self, claims: Mapping[str, Any]) -> Introduced:
        said = _at(claims, self._settings.roles_claim)
        named = said.split() if isinstance(said, str) else [str(r) for r in said] if isinstance(said, list) else []
        names = self._settings.roles
        roles = frozenset(names[n] for n in named if n in names) if names else roles_of(named)
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])[:80]
        if not roles:
            raise NotLetInError(
                f"{name} has no role here; the provider's admin gives one in {self._settings.roles_claim}"
            )
        subject = sha256(f"{claims['iss']}\n{claims['sub']}".encode()).hexdigest()
        return Introduced(subject, name, roles, self._settings.tenant)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Return what stands under a name, or under a path of names with dots; nothing where there is nothing."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name, ()) if isinstance(found, Mapping) else ()
    return found
