"""Coming in through an OpenID provider: a small one that runs beside the test, honest first, then lying in every way."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from models.errors import SetupError
from service.auth.doors import HOME
from service.auth.oidc import OidcSettings, Provider, oidc_settings
from tests.service.people import bearer, knocking

ME, SECRET = "jouletwin", "the client's secret"  # of a provider that lives in a test
KEY, STRANGER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
BACK = "http://127.0.0.1/api/v1/session/oidc/callback"


class SmallProvider:
    """An OpenID provider with one person."""

    def __init__(self):
        self.claims, self.key, self.asked, self.header = {}, KEY, {}, {"alg": "RS256", "kid": "one"}
        self.token_requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, what, status=200):
                body = json.dumps(what).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path.endswith("openid-configuration"):
                    self.answer(outer.about())
                else:
                    self.answer({"keys": [KEY.as_dict(private=False)]})

            def do_POST(self):
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                outer.token_requests.append(({k: v[0] for k, v in sent.items()}, self.headers["Authorization"]))
                self.answer({"access_token": "a", "token_type": "Bearer", "id_token": outer.token()})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def about(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def token(self):
        now = int(time.time())
        standard = {
            "iss": self.issuer,
            "sub": "42",
            "aud": ME,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
        }
        claims = standard | {"preferred_username": "ann", "roles": ["operator", "cook"]} | self.claims
        return jwt.encode(self.header, {k: v for k, v in claims.items() if v is not None}, self.key)


@pytest.fixture
def provider():
    made = SmallProvider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def http(quiet, inhabited, tmp_path, provider):
    client = knocking(quiet, inhabited[0], tmp_path)
    client.app.state.backing.provider = Provider(OidcSettings(provider.issuer, ME, SECRET))
    with client:
        yield client


def sent_there(http, provider):
    answer = http.get("/api/v1/session/oidc", follow_redirects=False)
    assert answer.status_code == 303, answer.text
    place = urlsplit(answer.headers["location"])
    provider.asked = {k: v[0] for k, v in parse_qs(place.query).items()}
    return provider.asked


def back(http, asked, **more):
    return http.get("/api/v1/session/oidc/callback", params={"code": "c1", "state": asked["state"]} | more)


def test_who_the_provider_knows_comes_in_with_the_roles_that_it_names(http, provider, inhabited):
    asked = sent_there(http, provider)
    assert (asked["client_id"], asked["redirect_uri"], asked["scope"]) == (ME, BACK, "openid profile email")
    assert back(http, asked).status_code == 200
    sent, authorization = provider.token_requests[0]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).rstrip(b"=").decode()
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert base64.b64decode(authorization.partition(" ")[2]).decode().startswith(f"{ME}:")
    assert http.get("/api/v1/session").json() == {"tenant": HOME, "name": "ann", "roles": ["operator"]}
    provider.claims = {"roles": ["viewer"], "preferred_username": "ann b"}
    assert back(http, sent_there(http, provider)).status_code == 200
    assert http.get("/api/v1/session").json()["roles"] == ["viewer"]
    admin = bearer(inhabited[1].keys[HOME, "admin"])
    users = http.get("/api/v1/users?limit=200", headers=admin).json()["items"]
    ann = next(u for u in users if u["name"] == "ann")
    http.patch(
        f"/api/v1/users/{ann['id']}", json={"disabled": True}, headers=admin | {"If-Match": f'"{ann["version"]}"'}
    )
    assert http.get("/api/v1/session").status_code == 401
    assert back(http, sent_there(http, provider)).status_code == 401


@pytest.mark.parametrize(
    ("claims", "change"),
    [
        ({"aud": "somebody else"}, {}),
        ({"iss": "http://127.0.0.1:1"}, {}),
        ({"exp": 1}, {}),
        ({"exp": None}, {}),
        ({"nonce": "another"}, {}),
        ({"nonce": None}, {}),
        ({"aud": [ME, "other"], "azp": "other"}, {}),
        ({"roles": ["cook"]}, {}),
        ({"roles": None}, {}),
        ({}, {"key": STRANGER}),
        ({}, {"key": OctKey.import_key(SECRET.ljust(32)), "header": {"alg": "HS256"}}),
    ],
)
def test_an_answer_that_does_not_hold_lets_nobody_in(http, provider, claims, change):
    provider.claims = claims
    for name, value in change.items():
        setattr(provider, name, value)
    answer = back(http, sent_there(http, provider))
    assert answer.status_code == 401, answer.text
    assert http.get("/api/v1/session").status_code == 401


def test_a_login_is_used_once_and_by_the_browser_that_began_it(http, provider):
    asked = sent_there(http, provider)
    mine = dict(http.cookies)
    http.cookies.clear()
    assert back(http, asked).status_code == 401
    http.cookies.update(mine)
    assert back(http, asked, code="").status_code == 401
    assert back(http, asked).status_code == 200
    http.cookies.update(mine)
    assert back(http, asked).status_code == 401
    provider.issuer = "http://127.0.0.1:1"  # says that it is somebody else
    assert http.get("/api/v1/session/oidc", follow_redirects=False).status_code == 401


def test_a_name_with_a_password_is_not_taken_over(http, provider):
    provider.claims = {"preferred_username": f"operator@{HOME}"}
    assert back(http, sent_there(http, provider)).status_code == 409


def test_the_environment_says_all_or_nothing():
    whole = {"JOULETWIN_OIDC_ISSUER": "https://id.example/", "JOULETWIN_OIDC_CLIENT_ID": "a"}
    assert oidc_settings({}) is None
    with pytest.raises(SetupError, match="CLIENT_SECRET"):
        oidc_settings(whole)
    whole["JOULETWIN_OIDC_CLIENT_SECRET"] = "s"  # noqa: S105 # of nobody
    assert oidc_settings(whole) == OidcSettings("https://id.example", "a", "s")
    with pytest.raises(SetupError, match="https"):
        oidc_settings(whole | {"JOULETWIN_OIDC_ISSUER": "http://id.example"})


def test_a_provider_with_names_and_a_place_of_its_own_for_roles(http, provider, inhabited):
    told = {"ISSUER": provider.issuer, "CLIENT_ID": ME, "CLIENT_SECRET": SECRET, "TENANT": "other"}
    told |= {"ROLES_CLAIM": "realm_access.roles", "ROLES": "control room=operator, energy = planner"}
    http.app.state.backing.provider = Provider(oidc_settings({f"JOULETWIN_OIDC_{n}": v for n, v in told.items()}))
    provider.claims = {"realm_access": {"roles": ["control room", "admin"]}}
    assert back(http, sent_there(http, provider)).status_code == 200
    assert http.get("/api/v1/session").json() == {"tenant": "other", "name": "ann", "roles": ["operator"]}
    provider.claims = {"realm_access": "operator", "sub": "43", "preferred_username": "eve"}
    answer = back(http, sent_there(http, provider))
    assert (answer.status_code, "eve has no role here" in answer.json()["detail"].lower()) == (401, True)


def test_a_role_that_there_is_not_is_told_at_the_start():
    told = {"ISSUER": "https://id.example", "CLIENT_ID": "a", "CLIENT_SECRET": "s", "ROLES": "boss=king"}
    with pytest.raises(SetupError, match="no role king"):
        oidc_settings({f"JOULETWIN_OIDC_{n}": v for n, v in told.items()})
