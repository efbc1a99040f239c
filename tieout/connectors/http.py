"""One HTTP client for every outside system: what is sent again, what is never sent again, and what is never
printed.

Errors (all from tieout.errors) and what they promise about the request:

    Unreachable     no connection, or faults after every retry; a write raises this only when it was surely
                    not done
    Throttled       429 (or 503 with Retry-After) after every retry; surely not done
    Refused         the address redirects to another host, where credentials must not go
    MalformedReply  a reply too large, cut short, or in an encoding never asked for
    OutcomeUnknown  a write left this machine and no trustworthy answer came back; it may have been done

Every status below 500 except 429 and redirects comes back as a Reply, because its meaning belongs to the
system's own client. Deciding, waiting and chance are three functions in retry.py; this is the only module
that sleeps.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3

from tieout import __version__
from tieout.connectors.redaction import redact
from tieout.connectors.retry import Failure, RetryPolicy, delay, jitter, retry_after, should_retry
from tieout.errors import (
    ConnectorError,
    InputError,
    MalformedReply,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreachable,
)

__all__ = ["MIB", "Http", "Reply", "RetryPolicy", "delay", "jitter", "retry_after", "should_retry"]

log = logging.getLogger("tieout.http")

# At level DEBUG urllib3 prints whole addresses, queries included; a filter holds whatever level a user sets later.
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.levelno > logging.DEBUG)

MIB = 1024 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_EXCERPT = 300
_CHUNK = 64 * 1024
_MAX_REDIRECTS = 5


@dataclass(frozen=True)
class Reply:
    """A whole reply: header names in lower case, body decompressed, seconds from sending to last byte."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    elapsed_s: float


class _Retry(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


class _Session(requests.Session):
    """Asks the environment for proxies and CA bundle once per host: otherwise all of it is walked for every request, which costs as much as
    building one."""

    def __init__(self) -> None:
        super().__init__()
        self._of_host: dict[tuple[str, Any], dict[str, Any]] = {}

    def merge_environment_settings(  # type: ignore[override]
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """What requests would find for this address."""
        if proxies or cert:
            return dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        key = ("/".join(url.split("/", 3)[:3]), verify)
        known = self._of_host.get(key)
        if known is None:
            known = self._of_host[key] = dict(
                super().merge_environment_settings(url, proxies, stream, verify, cert)
            )
        return {**known, "stream": stream}


class Http:
    """A client for one base address: connection reuse, pacing, retries, limits and redaction.

    base_url   https, or http on this machine only (`allow_plain_http` for a stand-in on a private network)
    timeout    seconds (to connect, between two bytes)
    max_bytes  limit of a decompressed reply body
    pace       requests per second at most, or None
    secrets    texts masked in every log line and error; `hide` adds more
    calls      requests sent so far, retries included
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: tuple[float, float] = (5, 60),
        policy: RetryPolicy | None = None,
        max_bytes: int = 64 * MIB,
        pace: float | None = None,
        secrets: Iterable[str] = (),
        allow_plain_http: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = frozenset(secret for secret in secrets if secret)
        self._allow_plain_http = allow_plain_http
        self.base_url = base_url.rstrip("/")
        self._check_address(self.base_url)
        if pace is not None and pace <= 0:
            raise InputError(
                f"The pace for {self.base_url} must be above zero requests a second, not {pace}."
            )
        self.timeout = timeout
        self.policy = policy or RetryPolicy()
        self.max_bytes = max_bytes
        self.calls = 0
        self._pace = pace
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311  spreads waits, guards nothing
        self._clock = clock
        self._wall = wall
        self._next_slot = 0.0
        self._lock = threading.Lock()
        self._session = _Session()
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": f"tieout/{__version__}", "Accept-Encoding": "gzip"})
        # An auth object of our own keeps requests from putting a .netrc login in place of our Authorization
        # header.
        self._session.auth = lambda prepared: prepared
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __repr__(self) -> str:
        return f"Http({self.base_url!r}, calls={self.calls})"

    def hide(self, *secrets: str) -> None:
        """Mask these texts too from now on, for example a token just received."""
        self._secrets = self._secrets | {secret for secret in secrets if secret}

    def redact(self, text: str) -> str:
        """A text fit for a log or an error of this client."""
        return redact(text, self._secrets)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Any = None,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        data: Any = None,
        json: Any = None,
        idempotent: bool,
        expect: Callable[[Reply], Any] | None = None,
    ) -> Reply:
        """Send one request, again if that is safe, and return the whole reply (see the module text for what
        raises).

        `idempotent` says whether doing it twice is harmless; when it is not, a lost answer is OutcomeUnknown
        and nothing is sent again. `expect` sees every reply of status 2xx and raises MalformedReply if it is
        not what was asked for, which counts as a lost answer: a read is tried again, a write is
        OutcomeUnknown. `headers` may be a function, asked anew for every attempt: a signed request must never
        be sent twice with the same nonce.
        """
        url = self._url(path_or_url)
        name = self._name(method, url)
        started = self._clock()
        deadline = started + self.policy.budget_seconds
        state: dict[str, Failure] = {}

        def wait(attempt: tenacity.RetryCallState) -> float:
            hint = state["last"].hint_seconds
            return jitter(
                delay(attempt.attempt_number, self.policy, hint), self.policy, hint is not None, self._rng
            )

        def stop(attempt: tenacity.RetryCallState) -> bool:
            if attempt.attempt_number >= self.policy.attempts:
                return True
            hint = state["last"].hint_seconds
            return self._clock() + delay(attempt.attempt_number, self.policy, hint) >= deadline

        def again(error: BaseException) -> bool:
            return isinstance(error, _Retry) and should_retry(error.failure, idempotent=idempotent)

        def attempt() -> Reply:
            self._take_slot()
            try:
                reply = self._once(method, url, params, headers, data, json, deadline)
                if expect is not None and 200 <= reply.status < 300:
                    try:
                        expect(reply)
                    except MalformedReply as error:
                        raise _Retry(Failure("malformed", error.sentence, reply.status)) from None
            except _Retry as error:
                state["last"] = error.failure
                log.info("%s failed: %s", name, self.redact(error.failure.reason))
                raise
            return reply

        loop = tenacity.Retrying(
            retry=tenacity.retry_if_exception(again), wait=wait, stop=stop, sleep=self._sleep, reraise=True
        )
        try:
            reply = loop(attempt)
        except _Retry as error:
            failure = error.failure
        else:
            log.debug("%s → %d, %d bytes, %.3f s", name, reply.status, len(reply.content), reply.elapsed_s)
            return reply
        # Raised out here so that the library's own error, whose text holds the whole address, is not chained
        # to ours.
        raise self._given_up(name, failure, idempotent)

    # ── one attempt ─────────────────────────────────────────────────────────────────────────────────────────

    def _once(
        self, method: str, url: str, params: Any, headers: Any, data: Any, json: Any, deadline: float
    ) -> Reply:
        """One exchange, redirects on the same host included."""
        started = self._clock()
        for _ in range(_MAX_REDIRECTS + 1):
            failure: Failure | None = None
            response = None
            try:
                with self._lock:
                    self.calls += 1
                response = self._session.request(
                    method,
                    url,
                    params=params,
                    headers=dict((headers() if callable(headers) else headers) or {}),
                    data=data,
                    json=json,
                    timeout=self._patience(deadline),
                    stream=True,
                    allow_redirects=False,
                    verify=None,  # keeps the session's "always" and lets an operator's CA bundle be found
                )
                content = self._body(response, deadline)
            except _Retry as error:
                failure = error.failure
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                failure = Failure("connect" if _never_sent(error) else "dropped", self._reason(error))
            if failure is not None:
                if response is not None:
                    response.close()
                    if response.status_code == 429 or response.status_code >= 500:
                        # The status said no before the body broke, and the status is what counts.
                        hint = self._hint(response.headers)
                        failure = Failure("status", failure.reason, response.status_code, hint)
                raise _Retry(failure)
            assert response is not None
            status = response.status_code
            if status in (301, 302, 303, 307, 308) and "location" in response.headers:
                url, params = self._redirected(method, url, status, response.headers["location"]), None
                continue
            if status == 429 or status >= 500:
                excerpt = self.redact(content[: 4 * _EXCERPT].decode("utf-8", "replace"))[:_EXCERPT].strip()
                reason = f"HTTP {status}" + (f": {' '.join(excerpt.split())}" if excerpt else "")
                raise _Retry(Failure("status", reason, status, self._hint(response.headers)))
            lowered = {key.lower(): value for key, value in response.headers.items()}
            return Reply(status, lowered, content, self._clock() - started)
        raise Refused(
            f"{self._name(method, url)} redirects in a circle; put the final address in the configuration."
        )

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        """The decompressed body, never more than `max_bytes` of it and never past the deadline."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            inflate = None
        elif encoding in ("gzip", "x-gzip"):
            inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        else:
            raise _Retry(
                Failure("malformed", f"the reply is encoded as {encoding!r}, which was not asked for")
            )
        chunks: list[bytes] = []
        size = 0
        while True:
            # read1 returns what has arrived, so a reply that trickles is measured against the deadline and
            # not waited for.
            chunk = response.raw.read1(_CHUNK, decode_content=False)
            if not chunk:
                break
            if inflate is not None:
                try:
                    chunk = inflate.decompress(chunk, self.max_bytes + 1 - size)
                except zlib.error:
                    raise _Retry(Failure("dropped", "the compressed reply is damaged")) from None
            size += len(chunk)
            if size > self.max_bytes:
                raise _Retry(Failure("oversize", f"the reply is larger than {self.max_bytes} bytes"))
            chunks.append(chunk)
            if self._clock() > deadline:
                raise _Retry(
                    Failure("dropped", f"the reply took longer than {self.policy.budget_seconds:g} seconds")
                )
        if inflate is not None and not inflate.eof and size + len(inflate.unconsumed_tail) > 0:
            raise _Retry(Failure("dropped", "the compressed reply was cut short"))
        return b"".join(chunks)

    def _patience(self, deadline: float) -> tuple[float, float]:
        left = max(0.05, deadline - self._clock())
        return min(self.timeout[0], left), min(self.timeout[1], left)

    def _take_slot(self) -> None:
        """Wait for this client's turn when a pace is set."""
        if self._pace is None:
            return
        with self._lock:
            now = self._clock()
            mine = max(now, self._next_slot)
            self._next_slot = mine + 1 / self._pace
        if mine > now:
            self._sleep(mine - now)

    # ── addresses and words ─────────────────────────────────────────────────────────────────────────────────

    def _url(self, path_or_url: str) -> str:
        if "://" in path_or_url:
            self._check_address(path_or_url)
            return path_or_url
        return f"{self.base_url}/{path_or_url.lstrip('/')}" if path_or_url else self.base_url

    def _check_address(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host, parts = None, urlsplit("")
        shown = self.redact(url.split("?")[0]) if host else "the configured address"
        if parts.scheme not in ("http", "https") or not host:
            raise InputError(
                f"{shown} is not an http or https address; write it like https://api.example.com."
            )
        if parts.username or parts.password:
            raise InputError(
                f"The address of {host} holds a login; remove it and put the secret in the environment."
            )
        if parts.scheme == "http" and host not in _LOOPBACK and not self._allow_plain_http:
            raise InputError(f"{shown} would send credentials in the clear; use https.")

    def _redirected(self, method: str, url: str, status: int, location: str) -> str:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        name = self._name(method, url)
        same = old.hostname == new.hostname and (
            (old.scheme, old.port) == (new.scheme, new.port) or (old.scheme, new.scheme) == ("http", "https")
        )
        if not same:
            raise Refused(
                f"{name} redirects to {self.redact(f'{new.scheme}://{new.netloc}')}, where credentials are not "
                "sent; put the final address in the configuration if it is the right one."
            )
        if method.upper() not in ("GET", "HEAD") and status not in (307, 308):
            raise Refused(f"{name} redirects a {method.upper()}; put the final address in the configuration.")
        return target

    def _name(self, method: str, url: str) -> str:
        """A request as it may be printed: the query is left out, because predicates may name customers."""
        return self.redact(f"{method.upper()} {url.split('?')[0]}")

    def _hint(self, headers: Mapping[str, str]) -> float | None:
        return retry_after(headers.get("Retry-After"), self._wall())

    def _reason(self, error: Exception) -> str:
        """Why an exchange failed, in words without the address (the libraries put the query into theirs)."""
        kinds = (
            (requests.exceptions.SSLError, "no trusted TLS connection with the server"),
            (urllib3.exceptions.SSLError, "no trusted TLS connection with the server"),
            (requests.exceptions.ConnectTimeout, f"no connection within {self.timeout[0]:g} seconds"),
            (requests.exceptions.Timeout, f"no answer within {self.timeout[1]:g} seconds"),
            (urllib3.exceptions.TimeoutError, f"no answer within {self.timeout[1]:g} seconds"),
            (TimeoutError, f"no answer within {self.timeout[1]:g} seconds"),
        )
        for kind, words in kinds:
            if isinstance(error, kind):
                return words
        return "no connection could be made" if _never_sent(error) else "the connection was cut"

    def _given_up(self, name: str, failure: Failure, idempotent: bool) -> ConnectorError:
        reason = self.redact(failure.reason).rstrip(".")
        tries = f"after up to {self.policy.attempts} attempts"
        context = {"request": name, "http_status": failure.status}
        if failure.status == 429 or (failure.status == 503 and failure.hint_seconds is not None):
            hint = failure.hint_seconds
            when = f"not before {hint:.0f} seconds" if hint is not None else "later"
            return Throttled(
                f"{name} was told to slow down {tries} ({reason}); it was not done. Run it again, {when}.",
                retry_after=hint,
                **context,
            )
        if failure.kind == "connect":
            return Unreachable(
                f"{name} could not be sent {tries}: {reason}; check the address, the network and the "
                "certificate.",
                **context,
            )
        if not idempotent:
            return OutcomeUnknown(
                f"{name} was sent but its answer was lost ({reason}); it may have been done. Read back before "
                "sending it again.",
                **context,
            )
        if failure.kind in ("malformed", "oversize"):
            return MalformedReply(
                f"{name}: {reason} ({tries}); keep the time of this run and ask the provider if it persists.",
                **context,
            )
        return Unreachable(f"{name} got no usable answer {tries}: {reason}; run it again later.", **context)


def _never_sent(error: BaseException) -> bool:
    """Whether the request surely never reached the server: no connection was made, so no byte was taken."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    never = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.NameResolutionError,
        urllib3.exceptions.ProxyError,
        ssl.SSLCertVerificationError,  # other TLS errors may strike after the request was taken
        ConnectionRefusedError,
    )
    pending: list[Any] = [error]
    for _ in range(8):  # requests wraps urllib3 wraps the socket: a bounded look inside
        if not pending:
            return False
        inner = pending.pop()
        if isinstance(inner, never):
            return True
        pending.extend(
            part
            for part in (getattr(inner, "reason", None), *getattr(inner, "args", ()))
            if isinstance(part, BaseException)
        )
    return False
