"""Signing in to the Magento stand-in: signed integration, its token as bearer, administrator's token, client credentials.

Source: Magento web API documentation, Authentication; RFC 5849 for the signature, checked here by its own reading of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from tieout.sandbox.server import Request, Response
from tieout.sandbox.world.arithmetic import identifier

CONSUMER_KEY, CONSUMER_SECRET = "demo-consumer", "demo-consumer-secret"
ACCESS_TOKEN, ACCESS_SECRET = "demo-access", "demo-access-secret"
ADMIN, ADMIN_PASSWORD = "sync", "demo-admin-secret"
CLIENT_ID, CLIENT_SECRET, ORGANISATION = "demo-cloud-client", "demo-cloud-secret", "demo-org"
TOKEN_SECONDS = 4 * 3600


def answer(status: int, payload: Any) -> Response:
    """A JSON answer."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})


class Refusal(Exception):
    """An error answer on its way out."""

    def __init__(self, status: int, message: str, parameters: Any = None) -> None:
        super().__init__(message)
        self.status, self.message, self.parameters = status, message, parameters

    def response(self) -> Response:
        """The answer in the platform's first error form."""
        body: dict[str, Any] = {"message": self.message}
        if self.parameters is not None:
            body["parameters"] = self.parameters
        return answer(self.status, body)


class Doors:
    """Who may come in. ``allows_bearer``: the integration's token alone is enough (off by default on real shops since 2.4.4)."""

    def __init__(self, seed: int, now: Callable[[], int]) -> None:
        self.seed, self.now = seed, now
        self.allows_bearer = False
        self._lock = threading.Lock()
        self._tokens: dict[str, int] = {}
        self.all_tokens: list[str] = []
        self._issued = 0
        self._nonces: set[str] = set()
        self._refuse_signed = 0

    def names(self) -> dict[str, str]:
        """What a client needs to know beside its secrets."""
        return {
            "consumer_key": CONSUMER_KEY,
            "user_name": ADMIN,
            "client_id": CLIENT_ID,
            "organisation": ORGANISATION,
        }

    def open(self, request: Request, parts: list[str]) -> Response | None:
        """The answer to a request for a token; None for every other."""
        if parts[-2:] == ["admin", "token"]:
            given = _json(request)
            if given != {"username": ADMIN, "password": ADMIN_PASSWORD}:
                raise Refusal(
                    401,
                    "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later.",
                )
            return answer(200, self._issue())
        if parts[:2] == ["ims", "token"]:
            form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
            if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
                return answer(400, {"error": "invalid_client"})
            if "commerce.accs" not in form.get("scope", ""):
                return answer(400, {"error": "invalid_scope"})
            return answer(200, {"access_token": self._issue(), "token_type": "bearer", "expires_in": 86_399})
        return None

    def _issue(self) -> str:
        with self._lock:
            self._issued += 1
            token = identifier(self.seed, "magento-token", self._issued).replace("-", "")
            self.all_tokens.append(token)
            self._tokens[token] = self.now() + TOKEN_SECONDS * 1000
            return token

    def expire(self, request: Request) -> None:
        """Whatever this request came in with is no longer good, once."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        with self._lock:
            if scheme == "Bearer":
                self._tokens.pop(token, None)
            else:
                self._refuse_signed += 1

    def authorise(self, request: Request) -> None:
        """Raise the platform's 401 unless the request may come in."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and self._bearer(request, given):
            return
        if scheme == "OAuth" and self._signed(request, given):
            return
        raise Refusal(
            401, "The consumer isn't authorized to access %resources.", {"resources": "Magento_Sales::sales"}
        )

    def _bearer(self, request: Request, token: str) -> bool:
        if token == ACCESS_TOKEN:
            return self.allows_bearer
        if self._tokens.get(token, 0) <= self.now():
            return False
        # A cloud address has no store in front; it wants the client and the organisation too.
        cloud = not request.path.startswith("/rest/")
        given = (request.headers.get("x-api-key"), request.headers.get("x-gw-ims-org-id"))
        return not cloud or given == (CLIENT_ID, ORGANISATION)

    def _signed(self, request: Request, text: str) -> bool:
        given = {name: unquote(value) for name, value in re.findall(r'([a-z_]+)="([^"]*)"', text)}
        sent = given.pop("oauth_signature", "")
        with self._lock:
            if self._refuse_signed:
                self._refuse_signed -= 1
                return False
            nonce = given.get("oauth_nonce", "")
            if not nonce or nonce in self._nonces or not given.get("oauth_timestamp", "").isdigit():
                return False
            self._nonces.add(nonce)
        if (given.get("oauth_consumer_key"), given.get("oauth_token")) != (CONSUMER_KEY, ACCESS_TOKEN):
            return False
        if given.get("oauth_signature_method") != "HMAC-SHA256":
            return False
        address = f"http://{request.headers.get('Host', '')}{request.path}"
        pairs = [*parse_qsl(request.query, keep_blank_values=True), *given.items()]
        encoded = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
        parameters = "&".join(f"{name}={value}" for name, value in encoded)
        base = f"{request.method}&{_encoded(address)}&{_encoded(parameters)}"
        key = f"{_encoded(CONSUMER_SECRET)}&{_encoded(ACCESS_SECRET)}"
        digest = hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(base64.b64encode(digest).decode(), sent)


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError:
        return None
