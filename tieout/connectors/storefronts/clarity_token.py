"""The access token of a Clarity shop: OAuth 2.0 client credentials (RFC 6749, section 4.4), renewed in good time."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.errors import MalformedReply, Refused

_RENEW_BEFORE_SECONDS = 120.0
_ASSUMED_LIFETIME_SECONDS = 600.0  # when the service does not say how long a token lives


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | str = 0.0


class Tokens:
    """The tokens of one client. Safe to share between threads. Bad credentials are never tried again."""

    def __init__(
        self,
        address: str,
        client_id: str,
        client_secret: str,
        *,
        basic: bool,
        http_options: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        login = b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode("ascii")
        self._http = Http(address, secrets=(client_secret, login), **http_options)
        self._form = {"grant_type": "client_credentials"}
        self._headers = {"Accept": "application/json"}
        if basic:
            self._headers["Authorization"] = f"Basic {login}"
        else:
            self._form |= {"client_id": client_id, "client_secret": client_secret}
        self._clock = clock
        self._token: str | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        """Requests sent to the token service."""
        return self._http.calls

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def bearer(self) -> str:
        """A token that is still valid as far as we know. Raises Refused for bad credentials."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                self._token = self._fetch()
            return self._token

    def forget(self, token: str) -> None:
        """The shop no longer takes this token: the next `bearer` fetches a new one."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _fetch(self) -> str:
        asked_at = self._clock()
        reply = self._http.request(
            "POST", "", headers=self._headers, data=self._form, idempotent=True, expect=_is_token
        )
        if reply.status >= 400:
            hint = (
                "there is no token service there: correct token_path of the profile"
                if reply.status == 404
                else "check client id and secret; they are not tried again"
            )
            raise Refused(
                f"Clarity gave no token at {self._http.base_url} (HTTP {reply.status}); {hint}.",
                status=reply.status,
            )
        token = msgspec.json.decode(reply.content, type=_Token)
        self._http.hide(token.access_token)
        try:
            lifetime = max(0.0, float(token.expires_in))
        except ValueError:
            lifetime = 0.0
        lifetime = lifetime or _ASSUMED_LIFETIME_SECONDS
        self._renew_at = asked_at + lifetime - min(_RENEW_BEFORE_SECONDS, lifetime / 10)
        return token.access_token


def _is_token(reply: Reply) -> None:
    try:
        msgspec.json.decode(reply.content, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedReply("the token service did not answer with a token") from None
