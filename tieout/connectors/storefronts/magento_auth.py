"""The ways to sign in to Magento 2 and Adobe Commerce, each giving the headers of one request.

Sources of outside facts: Magento web API documentation, Authentication (OAuth-based, token-based) and Server-to-server integration
for Adobe Commerce as a Cloud Service; RFC 5849 for the signature itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.errors import MalformedReply, Refused

RENEW_BEFORE_SECONDS = 300
"""A token is renewed this long before its end, or at nine tenths of its life if that is later."""


class SignIn(Protocol):
    """One way to sign in."""

    def headers(self, method: str, url: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Headers that authorise this very request; asked anew for every attempt."""
        ...

    def forget(self) -> bool:
        """The shop no longer takes what `headers` gave. Whether asking again may help."""
        ...

    def hidden(self) -> tuple[str, ...]:
        """Everything that must never be printed, as far as it is known by now."""
        ...

    @property
    def calls(self) -> int:
        """Requests made for signing in."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class _Static:
    """A way to sign in that makes no requests of its own."""

    calls = 0

    def forget(self) -> bool:
        return False

    def close(self) -> None:
        return None


class Bearer(_Static):
    """The access token of an integration, alone. A shop must allow it (off by default since 2.4.4)."""

    def __init__(self, access_token: str) -> None:
        self._token = access_token

    def headers(self, method: str, url: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def hidden(self) -> tuple[str, ...]:
        return (self._token,)


class Signed(_Static):
    """An integration's four secrets: every request is signed with HMAC-SHA256 (OAuth 1.0a)."""

    def __init__(
        self,
        consumer_key: str,
        consumer_secret: str,
        access_token: str,
        access_token_secret: str,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._consumer_key, self._consumer_secret = consumer_key, consumer_secret
        self._token, self._token_secret = access_token, access_token_secret
        self._clock, self._nonce = clock, nonce

    def headers(self, method: str, url: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        given = {
            "oauth_consumer_key": self._consumer_key,
            "oauth_nonce": self._nonce(),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(self._clock())),
            "oauth_token": self._token,
            "oauth_version": "1.0",
        }
        text = base_string(method, url, [*query, *given.items()])
        given["oauth_signature"] = signature(text, self._consumer_secret, self._token_secret)
        words = ", ".join(f'{name}="{escaped(value)}"' for name, value in sorted(given.items()))
        return {"Authorization": f"OAuth {words}"}

    def hidden(self) -> tuple[str, ...]:
        return (self._consumer_secret, self._token, self._token_secret)


def escaped(text: str) -> str:
    """Percent-encoding with nothing but unreserved characters left bare (RFC 5849, section 3.6)."""
    return quote(text, safe="-._~")


def base_string(method: str, url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The signature base string (RFC 5849, section 3.4.1): method, address without query, all parameters sorted after encoding.

    `parameters` are those of query and authorisation header, decoded; the realm and the signature are not among them.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    usual = {"http": 80, "https": 443}.get(parts.scheme.lower())
    if parts.port is not None and parts.port != usual:
        host = f"{host}:{parts.port}"
    address = f"{parts.scheme.lower()}://{host}{parts.path or '/'}"
    pairs = sorted((escaped(name), escaped(value)) for name, value in parameters)
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), escaped(address), escaped(joined)))


def signature(text: str, consumer_secret: str, token_secret: str) -> str:
    """HMAC-SHA256 of a base string in base64; the key is both secrets, encoded, joined by `&`."""
    key = f"{escaped(consumer_secret)}&{escaped(token_secret)}".encode()
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


class _Renewed:
    """A bearer token that is fetched when first needed, renewed before its end, and once when it is refused."""

    def __init__(
        self, address: str, clock: Callable[[], float], options: Mapping[str, Any], *kept: str
    ) -> None:
        self._http = Http(address, secrets=kept, **options)
        self._clock, self._kept = clock, kept
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    @property
    def calls(self) -> int:
        """Requests made for signing in."""
        return self._http.calls

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def hidden(self) -> tuple[str, ...]:
        """The secrets and the current token."""
        return (*self._kept, self._token) if self._token else self._kept

    def forget(self) -> bool:
        """Fetch a new one next time."""
        with self._lock:
            self._token = None
        return True

    def headers(self, method: str, url: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        """The bearer token."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                asked_at = self._clock()
                token, lifetime = self._fetch()
                self._http.hide(token)
                self._token = token
                self._renew_at = asked_at + lifetime - min(RENEW_BEFORE_SECONDS, lifetime / 10)
            return {"Authorization": f"Bearer {self._token}"}

    def _fetch(self) -> tuple[str, float]:
        raise NotImplementedError

    def _refused(self, reply: Reply, what: str, todo: str) -> Refused:
        return Refused(
            f"Magento refused {what} at {self._http.base_url} (HTTP {reply.status}); {todo}. It is not tried again.",
            status=reply.status,
        )


class AdminToken(_Renewed):
    """User name and password of an administrator without two-factor sign-in; the token lives four hours unless the shop says otherwise."""

    def __init__(
        self,
        base_url: str,
        user_name: str,
        password: str,
        *,
        hours: float = 4,
        clock: Callable[[], float] = time.monotonic,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(f"{base_url}/rest/V1/integration/admin/token", clock, options, password)
        self._body = {"username": user_name, "password": password}
        self._lifetime = hours * 3600

    def _fetch(self) -> tuple[str, float]:
        reply = self._http.request("POST", "", json=self._body, idempotent=True, expect=_is_text)
        if reply.status >= 400:
            raise self._refused(
                reply,
                "the administrator's sign-in",
                "check name and password, and that the account needs no second factor (use an integration if it does)",
            )
        return msgspec.json.decode(reply.content, type=str), self._lifetime


class _ImsToken(msgspec.Struct):
    access_token: str
    expires_in: float = 3600


IMS_SCOPES = (
    "openid,AdobeID,email,profile,additional_info.roles,additional_info.projectedProductContext,commerce.accs"
)
"""Scopes the server-to-server guide asks for."""


class ClientCredentials(_Renewed):
    """Adobe Commerce as a Cloud Service: a token of Adobe's identity service for a client id and secret."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        organisation: str,
        *,
        scopes: str = IMS_SCOPES,
        clock: Callable[[], float] = time.monotonic,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(token_url, clock, options, client_secret)
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scopes,
        }
        self._also = {"x-api-key": client_id, "x-gw-ims-org-id": organisation}

    def headers(self, method: str, url: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        """The bearer token, the client and the organisation."""
        return {**super().headers(method, url, query), **self._also}

    def _fetch(self) -> tuple[str, float]:
        reply = self._http.request("POST", "", data=self._form, idempotent=True, expect=_is_ims_token)
        if reply.status >= 400:
            raise self._refused(
                reply,
                "the client's credentials",
                "check client id, secret and scopes in the Developer Console",
            )
        found = msgspec.json.decode(reply.content, type=_ImsToken)
        return found.access_token, found.expires_in if found.expires_in > 0 else 3600


def _is_text(reply: Reply) -> None:
    try:
        if not msgspec.json.decode(reply.content, type=str):
            raise MalformedReply("the token is empty")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedReply("the answer is not a token in JSON") from None


def _is_ims_token(reply: Reply) -> None:
    try:
        msgspec.json.decode(reply.content, type=_ImsToken)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedReply("the answer is not a token in JSON") from None
