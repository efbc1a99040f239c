"""The commercetools access token: fetched when first needed, renewed in good time, never tried again with bad
credentials.

Source: commercetools API reference, Authorization (client credentials flow). There is no refresh token in
this flow.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.errors import MalformedReply, Refused

_RENEW_BEFORE_SECONDS = 120.0
_ASSUMED_LIFETIME_SECONDS = 600.0  # when the service does not say how long a token lives


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0
    scope: str = ""


class Fault(msgspec.Struct):
    """An error body (commercetools API reference, ErrorResponse and AuthErrorResponse)."""

    message: str = ""
    error: str = ""
    error_description: str = ""
    errors: list[dict[str, Any]] = []

    @property
    def code(self) -> str:
        """The platform's own word for the error, or an empty text."""
        code = self.errors[0].get("code") if self.errors else None
        return str(code or self.error or "")


def fault_of(content: bytes) -> Fault:
    """The error in a body; an empty one when the body is something else."""
    try:
        return msgspec.json.decode(content, type=Fault)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault()


class Tokens:
    """The tokens of one API client. Safe to share between threads."""

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        scopes: Sequence[str],
        http_options: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._basic = b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")
        base = auth_url.rstrip("/")
        address = base if base.endswith("/oauth/token") else f"{base}/oauth/token"
        self._http = Http(address, secrets=(client_secret, self._basic), **http_options)
        self._asked_scopes = tuple(scopes)
        self._clock = clock
        self._token: str | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()
        self.scopes: frozenset[str] = frozenset()

    @property
    def calls(self) -> int:
        """Requests sent to the token service."""
        return self._http.calls

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def bearer(self) -> str:
        """A token that is still valid as far as we know. Raises Refused for bad credentials or scopes."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                self._token = self._fetch()
            return self._token

    def forget(self, token: str) -> None:
        """The platform no longer takes this token: the next `bearer` fetches a new one."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _fetch(self) -> str:
        form = {"grant_type": "client_credentials"}
        if self._asked_scopes:
            form["scope"] = " ".join(self._asked_scopes)
        headers = {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}
        asked_at = self._clock()
        reply = self._http.request("POST", "", headers=headers, data=form, idempotent=True, expect=_is_token)
        if reply.status >= 400:
            raise self._refusal(reply)
        token = msgspec.json.decode(reply.content, type=_Token)
        self._http.hide(token.access_token)
        self.scopes = frozenset(token.scope.split())
        lifetime = token.expires_in if token.expires_in > 0 else _ASSUMED_LIFETIME_SECONDS
        self._renew_at = asked_at + lifetime - min(_RENEW_BEFORE_SECONDS, lifetime / 10)
        return token.access_token

    def _refusal(self, reply: Reply) -> Refused:
        fault, where = fault_of(reply.content), self._http.base_url
        if fault.code == "invalid_scope":
            return Refused(
                f"commercetools does not give this API client the scopes asked for ({' '.join(self._asked_scopes)}); "
                "correct them in the configuration or in the Merchant Center."
            )
        if reply.status == 404:
            return Refused(f"There is no token service at {where}; check the authentication address.")
        return Refused(
            f"commercetools refused the API client's credentials at {where} (HTTP {reply.status}, "
            f"{self._http.redact(fault.code) or 'no reason given'}); check client id, secret and region. "
            "They are not tried again."
        )


def _is_token(reply: Reply) -> None:
    try:
        msgspec.json.decode(reply.content, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedReply("the token service did not answer with a token") from None
