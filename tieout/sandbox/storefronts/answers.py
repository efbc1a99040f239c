"""Answers in commercetools' form (commercetools API reference, Errors)."""

from __future__ import annotations

import json
from typing import Any

from tieout.sandbox.server import Response

_JSON = "application/json; charset=utf-8"


def json_response(status: int, payload: Any) -> Response:
    """A JSON answer."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(status, text.encode(), {"Content-Type": _JSON})


def error(status: int, code: str, message: str, *, auth: bool = False, **details: Any) -> Response:
    """An error answer; ``auth`` adds the two fields of OAuth errors."""
    body: dict[str, Any] = {
        "statusCode": status,
        "message": message,
        "errors": [{"code": code, "message": message, **details}],
    }
    if auth:
        body |= {"error": code, "error_description": message}
    response = json_response(status, body)
    if status == 401:
        response.headers["WWW-Authenticate"] = f'Bearer realm="sandbox", error="{code}"'
    return response


class Refusal(Exception):
    """An error answer on its way out."""

    def __init__(self, status: int, code: str, message: str, *, auth: bool = False, **details: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.auth, self.details = status, code, message, auth, details

    def response(self) -> Response:
        """The answer."""
        return error(self.status, self.code, self.message, auth=self.auth, **self.details)
