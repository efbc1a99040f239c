"""A small commercetools platform of our own that misbehaves on order, and the courier that reads it."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from tieout.connectors.http import RetryPolicy
from tieout.connectors.storefronts.commercetools import Commercetools

SECRET = "client-secret-canary"


def stamp(second: int) -> str:
    return (
        f"{datetime(2026, 9, 1, tzinfo=UTC) + timedelta(milliseconds=second):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    )


class Platform:
    """Orders with ids and stamps, served by the two predicates the courier uses; anything else is a 400."""

    def __init__(self, say, orders: list[dict], limit_cap: int = 500) -> None:
        self.say, self.orders, self.limit_cap = say, orders, limit_cap
        self.tokens = 0
        self.valid: set[str] = set()
        self.lists = 0
        self.on_list = None  # (number of the list request, page body) → Say or None
        self.on_write = None
        self.scope = "view_orders:p"
        self.expires_in = 172800
        self.rows: dict[str, dict] = {}

    def __call__(self, seen):
        if seen.path == "/oauth/token":
            self.tokens += 1
            token = f"bearer-canary-{self.tokens}"
            self.valid.add(token)
            assert parse_qs(seen.body.decode())["grant_type"] == ["client_credentials"]
            return self.json({"access_token": token, "expires_in": self.expires_in, "scope": self.scope})
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.valid:
            return self.json(
                {"statusCode": 401, "errors": [{"code": "invalid_token"}], "error": "invalid_token"}, 401
            )
        if seen.method == "POST":
            return self.write(seen)
        self.lists += 1
        query = dict(seen.query)
        assert query["withTotal"] in ("false", "true")
        rows = list(self.rows.values()) if seen.path.endswith("inventory") else self.orders
        if seen.path.endswith("channels"):
            rows = [{"id": "ch-1", "key": "wh-east"}, {"id": "ch-2", "key": "wh-berlin"}]
        found = [row for row in rows if self.matches(query.get("where"), row)]
        sorts = [value.split()[0] for name, value in seen.query if name == "sort"]
        found.sort(key=lambda row: [row[name] for name in sorts])
        limit = min(int(query["limit"]), self.limit_cap)
        page = {"limit": limit, "count": len(found[:limit]), "results": found[:limit]}
        if query["withTotal"] == "true":
            page["total"] = min(len(found), 10_000)
        said = self.on_list(self.lists, page) if self.on_list else None
        return said or self.json(page)

    def matches(self, where: str | None, row: dict) -> bool:
        if where is None:
            return True
        if found := re.fullmatch(r'sku = "(.*)"', where):
            return row["sku"] == found[1]
        if found := re.fullmatch(r'id > "([^"]*)"', where):
            return row["id"] > found[1]
        term = r'(?:\(lastModifiedAt > "([^"]*)" or \(lastModifiedAt = "\1" and id > "([^"]*)"\)\)|lastModifiedAt >= "([^"]*)")?'
        found = re.fullmatch(term + r'(?: and )?(?:lastModifiedAt < "([^"]*)")?', where)
        assert found, where
        at, ref, start, end = found.groups()
        key = (row["lastModifiedAt"], row["id"])
        return (
            (at is None or key > (at, ref))
            and (start is None or key[0] >= start)
            and (end is None or key[0] < end)
        )

    def write(self, seen):
        said = self.on_write(seen, json.loads(seen.body)) if self.on_write else None
        if said is not None:
            return said
        return self.commit(seen)

    def commit(self, seen):
        body = json.loads(seen.body)
        if seen.path.endswith("/inventory"):
            row = {
                "id": f"inv-{len(self.rows) + 1}",
                "version": 1,
                "sku": body["sku"],
                "quantityOnStock": body["quantityOnStock"],
                "supplyChannel": body.get("supplyChannel"),
                "lastModifiedAt": stamp(0),
            }
            self.rows[row["id"]] = row
            return self.json(row, 201)
        row = self.rows.get(seen.path.rsplit("/", 1)[1])
        if row is None:
            return self.json(
                {"statusCode": 404, "message": "gone", "errors": [{"code": "ResourceNotFound"}]}, 404
            )
        if row["version"] != body["version"]:
            fault = {"code": "ConcurrentModification", "currentVersion": row["version"]}
            return self.json({"statusCode": 409, "message": "stale", "errors": [fault]}, 409)
        row["quantityOnStock"] = body["actions"][0]["quantity"]
        row["version"] += 1
        return self.json(row)

    def json(self, value, status: int = 200):
        return self.say(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def make_orders(count: int, same: int = 3) -> list[dict]:
    """Orders whose stamps come in runs of `same`, with ids in no order."""
    rng = random.Random(3)
    return [
        {
            "id": f"{rng.getrandbits(64):016x}-{n:04d}",
            "version": 1 + n % 3,
            "lastModifiedAt": stamp(n // same),
            "totalPrice": {"centAmount": n},
        }
        for n in range(count)
    ]


def courier(fake, **options) -> Commercetools:
    policy = RetryPolicy(attempts=3, base_seconds=0.001, cap_seconds=0.002)
    return Commercetools(
        api_url=fake.stub.url,
        auth_url=fake.stub.url,
        project_key="p",
        client_id="me",
        client_secret=SECRET,
        page_size=options.pop("page_size", 20),
        http_options={"policy": policy, "timeout": (1, 1)},
        **options,
    )
