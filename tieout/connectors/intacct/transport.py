"""One request over the wire: bytes out, reply in, both archived with nothing secret in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tieout.connectors.http import Http, Reply, RetryPolicy
from tieout.connectors.intacct.archive import Exchange, redacted
from tieout.connectors.redaction import redact
from tieout.errors import ConnectorError, InputError, Refused, TieoutError

DEFAULT_TIMEOUT = (10.0, 300.0)
"""Seconds to connect and between two bytes. The gateway itself works up to 15 minutes on a synchronous request."""
DEFAULT_POLICY = RetryPolicy(attempts=5, base_seconds=1.0, cap_seconds=30.0, budget_seconds=900.0)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where requests may go: the configured endpoint's host, Sage's own hosts over https, and hosts allowed by name."""

    endpoint: str
    allowed_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        parts = _split(self.endpoint)
        if parts is None:
            raise InputError(
                "The Intacct endpoint is not an http or https address; Sage's is https://api.intacct.com/ia/xml/xmlgw.phtml."
            )
        scheme, host = parts
        if scheme == "http" and host not in _LOOPBACK and host not in self.allowed_hosts:
            raise InputError(f"The Intacct endpoint at {host} would carry passwords in the clear; use https.")

    def accept(self, url: str) -> str:
        """The endpoint a session names, if requests may go there. Raises Refused otherwise: credentials do not follow strangers."""
        parts, own = _split(url), _split(self.endpoint)
        assert own is not None
        if parts is not None:
            scheme, host = parts
            known = host == own[1] or host in self.allowed_hosts
            sage = host.endswith(".intacct.com") and scheme == "https"
            if sage or (known and (scheme == "https" or own[0] == "http")):
                return url
        host = parts[1] if parts else "an unreadable address"
        raise Refused(
            f"Intacct's sign-in named {host[:80]} as the endpoint to use, which is neither the configured host nor one of Sage's; "
            "nothing was sent there. Add the host to allowed_hosts if it is right.",
        )


def _split(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url.strip())
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username
            or parts.password
            or parts.port == 0
        ):
            return None
    except ValueError:
        return None
    return parts.scheme, parts.hostname.lower()


class Wire:
    """Posts XML to whichever endpoint a session lives at, over one Http client per endpoint.

    `http_options` go to `Http` as they are (timeout, policy, pace, max_bytes, sleep, rng). `clock` only dates the archive.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        secrets: Iterable[str],
        http_options: Mapping[str, Any] | None = None,
        archive: Callable[[Exchange], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.addresses = addresses
        self._options = {"timeout": DEFAULT_TIMEOUT, "policy": DEFAULT_POLICY, **(http_options or {})}
        self._secrets = {secret for secret in secrets if secret}
        self._archive = archive
        self._clock = clock
        self._clients: dict[str, Http] = {}

    def hide(self, *secrets: str) -> None:
        """Mask these texts too from now on, such as a session id just received."""
        self._secrets.update(secret for secret in secrets if secret)
        for client in self._clients.values():
            client.hide(*secrets)

    def mask(self, text: str) -> str:
        """A text fit for an error or a log."""
        return redact(text, self._secrets) if text else text

    def post(
        self,
        url: str,
        body: bytes,
        *,
        idempotent: bool,
        control_id: str,
        control_ids: tuple[str, ...],
        entity: str | None,
    ) -> Reply:
        """Send one request and return the whole reply, whatever its HTTP status below 500. Raises what `Http.request` raises."""
        at = self._clock()
        try:
            reply = self._client(url).request(
                "POST", url, headers={"Content-Type": "application/xml"}, data=body, idempotent=idempotent
            )
        except TieoutError as error:
            status = error.context.get("http_status") if isinstance(error, ConnectorError) else None
            self._keep(at, entity, control_id, control_ids, body, error.sentence.encode(), status, 0.0)
            raise
        self._keep(at, entity, control_id, control_ids, body, reply.content, reply.status, reply.elapsed_s)
        return reply

    def close(self) -> None:
        """Give the connections back."""
        for client in self._clients.values():
            client.close()

    def _client(self, url: str) -> Http:
        client = self._clients.get(url)
        if client is None:
            host = (urlsplit(url).hostname or "").lower()
            plain = host in self.addresses.allowed_hosts
            client = Http(url, secrets=self._secrets, **{"allow_plain_http": plain, **self._options})
            self._clients[url] = client
        return client

    def _keep(
        self,
        at: datetime,
        entity: str | None,
        control_id: str,
        control_ids: tuple[str, ...],
        request: bytes,
        reply: bytes,
        status: int | None,
        elapsed_s: float,
    ) -> None:
        if self._archive is not None:
            # A reply to getAPISession holds a session id nobody knows yet: the element mask takes it out.
            kept = redacted(request, self._secrets), redacted(reply, self._secrets)
            self._archive(Exchange(at, entity, control_id, control_ids, *kept, status, elapsed_s))
