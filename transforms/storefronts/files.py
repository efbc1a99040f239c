"""Plain files as a storefront: orders, lines, payments, refunds and stock from text under canonical names to core.

Every function takes a frame of text (columns by canonical name) or raw landings whose payload is a JSON object of text, and rules.
Nothing crashes on a bad value: an order keeps its row with a `problem`; other rows that cannot be read are in `problems` with row
number, column and text. Ledger files are in `files_ledger`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from tieout.vocabulary import NO_MEANING
from transforms.owed.tenders import of_figures, order_tenders
from transforms.staged import INSTANT, PRICE, PROBLEMS_SCHEMA, QUANTITY, Staged
from transforms.storefronts.files_ledger import credit_memos, invoices, receipts
from transforms.storefronts.files_lines import LINE_COLUMNS, read_lines, with_missing_lines, with_order_keys
from transforms.storefronts.files_rules import USUAL, FileRules, Reading, distinct, words
from transforms.text_values import read_decimals, read_instants

__all__ = [
    "FileRules",
    "credit_memos",
    "invoices",
    "lines",
    "orders",
    "payments",
    "receipts",
    "refunds",
    "stock",
]

_PARTS: Final = ("goods", "discount", "shipping", "fees", "tax", "gift_card", "store_credit")
_TENDERS: Final = ("gift_card", "store_credit")
"""Columns of an orders file that are tender; each is called like its kind."""
_ORDER: Final = (
    "order_number",
    "placed_at",
    "currency",
    "total",
    *_PARTS,
    "status",
    "store",
    "customer",
    "email",
)
_PER_LINE: Final = tuple(f"line_{name}" for name in LINE_COLUMNS)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
STATUSES: Final = {
    **dict.fromkeys(("open", "new", "pending", "placed", "unfulfilled", "on hold"), "open"),
    **dict.fromkeys(
        ("processing", "confirmed", "partially shipped", "partial", "paid", "authorized"), "processing"
    ),
    **dict.fromkeys(
        ("complete", "completed", "fulfilled", "shipped", "delivered", "closed", "refunded"), "complete"
    ),
    **dict.fromkeys(("cancelled", "canceled", "void", "voided"), "cancelled"),
    "held": "held",
}
_KINDS: Final = {
    **dict.fromkeys(("charge", "capture", "captured", "sale", "payment", "paid", "receipt"), "charge"),
    **dict.fromkeys(("refund", "refunded", "return", "credit"), "refund"),
    **dict.fromkeys(("chargeback", "dispute"), "chargeback"),
    **dict.fromkeys(("authorization", "authorisation", "auth", "authorize", "authorized"), "authorization"),
    **dict.fromkeys(("void", "voided", "cancel", "cancelled", "canceled"), "void"),
}
STATES: Final = {
    **dict.fromkeys(
        ("success", "succeeded", "successful", "completed", "complete", "paid", "captured", "settled", "ok"),
        "success",
    ),
    **dict.fromkeys(("refunded", "partially refunded"), "success"),
    **dict.fromkeys(("pending", "initial", "open", "processing", "in progress"), "pending"),
    **dict.fromkeys(
        ("failure", "failed", "declined", "error", "rejected", "cancelled", "canceled"), "failure"
    ),
}


def orders(
    frame: pl.DataFrame,
    rules: FileRules = USUAL,
    *,
    storefront: str,
    run_id: str,
    lines: pl.DataFrame | None = None,
    line_rules: FileRules | None = None,
) -> Staged:
    """`core.orders` and `core.order_lines`, the lines summing to their order.

    `lines` is the text of a lines file, if there is one; with `rules.rows` `line` the orders file itself has one row per line, its
    headers repeated or only on the first. An order's total is the header's; without one it is the sum of its lines and its other parts.
    Parts that no header and no line states are zero, goods then being what is left; so a file of totals alone has goods only, and
    `is_taxed` is false. Exports differ in whether the goods are before the discount and with tax: the reading that sums to the total
    is taken, and where none does, the rest is in `rounding_minor`. Gift cards and store credit in an orders file are tender (`core.order_tenders`). Two rows with one order
    number are two orders (`W1`, `W1#2`) for a rule to hold; one without a number keeps its row with a problem; lines without an order are
    in `problems`.
    """
    read = Reading(frame, "orders", (*_ORDER, "captured_at", "shipped_at", *_PER_LINE), rules)
    read.upper_currency()
    own_lines = read.frame if rules.rows == "line" else None
    if rules.rows == "line":
        _fold_rows(read)
    else:
        read.frame = read.frame.with_columns(order_ref=pl.col("order_number"))
    # A landing has no row numbers of its own: only its native reference is the same whenever the row is staged.
    landed = "payload" in frame.columns
    unnumbered = pl.format("without number{}", "native_ref") if landed else pl.format("row {}", "row_no")
    read.frame = read.frame.with_columns(order_ref=pl.coalesce("order_ref", unnumbered)).with_columns(
        order_ref=distinct("order_ref")
    )
    read.amounts("total", *_PARTS)
    times = ("placed_at", "captured_at", "shipped_at")
    read.take(read_instants(read.frame, times, rules.formats, rules.time_zone))
    read.must("placed_at", "currency")
    _blame_unnumbered(read)
    read.frame = read.frame.with_columns(
        status_code=pl.when(pl.col("status").is_null())
        .then(pl.lit("complete"))
        .otherwise(words("status", {**STATUSES, **rules.statuses}))
    )
    read.blame(
        pl.col("status_code").is_null(),
        "status",
        f"{NO_MEANING}; give it one in the column map or in statuses.csv",
        code="status_unknown",
    )
    source = own_lines if own_lines is not None else lines
    found = None
    if source is not None:
        named = pl.col("order_ref") if own_lines is not None else pl.col("order_number")
        heads = read.frame.select("order_ref", "currency", order_key=named).unique(
            "order_key", keep="first", maintain_order=True
        )
        is_own = own_lines is not None
        found = read_lines(
            source, rules if is_own else (line_rules or rules), heads, prefix="line_" if is_own else ""
        )
    detail = found.frame if found is not None else None
    read.frame = _with_components(read.frame, detail)
    if found is not None:
        read.blame(
            pl.col("order_ref").is_in(found.broken.implode()),
            "order_number",
            "has a line that cannot be read",
        )
    read.blame(
        pl.col("has_no_total") & ~pl.col("row_no").is_in(read.faults()["row_no"].implode()),
        "total",
        "is empty, and there are no lines to add up",
    )
    heads = read.frame.join(read.texts(), on="row_no", how="left", maintain_order="left")
    whole = with_missing_lines(heads, detail, storefront=storefront, run_id=run_id)
    problems = read.problems() if found is None else pl.concat([read.problems(), found.problems])
    table = heads.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "order_ref",
        "order_number",
        pl.col("version_no").fill_null(0).alias("revision"),
        pl.col("store").fill_null("").alias("store_ref"),
        pl.col("customer").alias("customer_ref"),
        pl.coalesce("customer", "email").alias("customer_name"),
        pl.col("email").alias("customer_email"),
        pl.col("status_code").fill_null("held"),
        pl.col("placed_at").fill_null(pl.lit(_NEVER).cast(INSTANT)),
        "captured_at",
        "shipped_at",
        pl.lit(None, dtype=INSTANT).alias("cancelled_at"),
        pl.coalesce("updated_at", "placed_at", pl.lit(_NEVER).cast(INSTANT)).alias("changed_at"),
        _currency().alias("currency"),
        "goods_minor",
        "gift_card_minor",
        "discount_minor",
        "shipping_minor",
        "fees_minor",
        "tax_minor",
        "rounding_minor",
        "total_minor",
        "tender_minor",
        (pl.col("total_minor") - pl.col("tender_minor")).alias("due_minor"),
        "tax_included",
        "is_taxed",
        pl.lit(False).alias("is_test"),
        "problem",
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    used = heads.select(
        "order_ref", _currency().alias("currency"), *(pl.col(name).abs() for name in _TENDERS)
    )
    tenders = order_tenders(
        of_figures(used, dict(zip(_TENDERS, _TENDERS, strict=True))), storefront=storefront, run_id=run_id
    )
    return Staged({"core.orders": table, "core.order_lines": whole, "core.order_tenders": tenders}, problems)


def _currency() -> pl.Expr:
    return pl.when(pl.col("currency").str.len_chars() == 3).then("currency").otherwise(pl.lit("XXX"))


def _blame_unnumbered(read: Reading) -> None:
    """Orders without a number: nothing could be posted under it, and no invoice or payment could name it."""
    is_missing = pl.col("order_number").is_null()
    if read.rules.rows == "line":
        read.blame(
            is_missing,
            "order_number",
            "is empty on the row that begins an order; give that row its order number",
            code="order_number_missing",
        )
        return
    is_bare = pl.col("placed_at").is_null() & pl.col("total").is_null()
    for bad, remedy in (
        (~is_bare, "give the row its order number"),
        (is_bare, 'give the row its order number or, if it continues the order above, say rows = "line" under [orders] in the column map'),
    ):  # fmt: skip
        read.blame(is_missing & bad, "order_number", f"is empty; {remedy}", code="order_number_missing")


def _fold_rows(read: Reading) -> None:
    """One row per order from a file with one row per line: the first value of each header column that is not empty."""
    numbered = with_order_keys(read.frame)
    heads = [
        name
        for name in numbered.columns
        if not name.startswith("line_") and name not in ("order_key", "row_no")
    ]
    differing = (
        numbered.group_by("order_key").agg(n=pl.col("total").drop_nulls().n_unique()).filter(pl.col("n") > 1)
    )
    read.frame = (
        numbered.group_by("order_key", maintain_order=True)
        .agg(pl.col("row_no").min(), *[pl.col(name).drop_nulls().first() for name in heads])
        .rename({"order_key": "order_ref"})
    )
    read.blame(
        pl.col("order_ref").is_in(differing["order_key"].implode()),
        "total",
        "differs between the rows of the order",
        code="amount_not_exact",
    )


def _with_components(frame: pl.DataFrame, detail: pl.DataFrame | None) -> pl.DataFrame:
    """Header components from what the header states and what the lines sum to."""
    sums = pl.DataFrame(schema={"order_ref": pl.String})
    kinds = {
        "item": "l_goods",
        "gift_card": "l_gift",
        "discount": "l_off",
        "shipping": "l_shipping",
        "fee": "l_fees",
    }
    names = [*kinds.values(), "l_tax", "l_row_off", "l_rows"]
    if detail is not None:
        whole = pl.col("net_minor") + pl.col("discount_minor")
        sums = detail.group_by("order_ref").agg(
            *[whole.filter(pl.col("kind_code") == kind).sum().alias(name) for kind, name in kinds.items()],
            l_tax=pl.col("tax_minor").sum(),
            l_row_off=pl.col("discount_minor").filter(pl.col("kind_code") != "discount").sum(),
            l_rows=pl.len().cast(pl.Int64),
        )
    else:
        sums = sums.with_columns(pl.lit(None, dtype=pl.Int64).alias(name) for name in names)
    frame = frame.join(sums, on="order_ref", how="left", maintain_order="left").with_columns(
        pl.col(names).fill_null(0)
    )
    has_lines = pl.col("l_rows") > 0
    stated_off = -pl.col("discount").fill_null(0).abs()
    frame = frame.with_columns(
        off=pl.when(pl.col("l_off") != 0).then("l_off").otherwise(stated_off),
        ship=pl.when(pl.col("l_shipping") != 0).then("l_shipping").otherwise(pl.col("shipping").fill_null(0)),
        fee=pl.when(pl.col("l_fees") != 0).then("l_fees").otherwise(pl.col("fees").fill_null(0)),
        taxes=pl.coalesce("tax", "l_tax"),
        gift=pl.col("l_gift"),
        said=pl.when(has_lines).then("l_goods").otherwise("goods"),
        has_no_total=pl.col("total").is_null() & ~has_lines,
    )
    parts = pl.col("ship") + pl.col("fee") + pl.col("gift")
    # Without a header total, a discount the lines already carry is not taken off a second time.
    lone_off = pl.when(pl.col("l_row_off") != 0).then("l_off").otherwise("off")
    made = pl.when(has_lines).then(pl.col("said") + lone_off + parts + pl.col("taxes"))
    frame = frame.with_columns(total_minor=pl.coalesce("total", made, pl.lit(0, dtype=pl.Int64)))
    left = pl.col("total_minor") - parts - pl.col("said")
    after_off, with_off = left == pl.col("taxes"), left == pl.col("taxes") + pl.col("off")
    gross_off, gross = left == pl.col("off"), left == 0
    frame = frame.with_columns(
        reading=pl.when(pl.col("said").is_null())
        .then(pl.lit("none"))
        .when(with_off)
        .then(pl.lit("net"))
        .when(after_off)
        .then(pl.lit("net after discount"))
        .when(gross_off & ~has_lines)
        .then(pl.lit("gross"))
        .when(gross & ~has_lines)
        .then(pl.lit("gross after discount"))
        .otherwise(pl.lit("net"))
    )
    is_gross = pl.col("reading").str.starts_with("gross")
    frame = frame.with_columns(
        discount_minor=pl.when(pl.col("reading").str.ends_with("after discount"))
        .then("l_off")
        .otherwise("off"),
        tax_minor="taxes",
        tax_included=is_gross & (pl.col("taxes") != 0),
        is_taxed=pl.col("tax").is_not_null() | (pl.col("l_tax") != 0),
    ).with_columns(
        goods_minor=pl.when(pl.col("said").is_null())
        .then(pl.col("total_minor") - parts - pl.col("taxes") - pl.col("discount_minor"))
        .otherwise(pl.col("said") - pl.when(is_gross).then("taxes").otherwise(0))
    )
    return frame.with_columns(
        gift_card_minor="gift",
        shipping_minor="ship",
        fees_minor="fee",
        tender_minor=pl.sum_horizontal(pl.col(name).fill_null(0).abs() for name in _TENDERS),
        rounding_minor=pl.col("total_minor")
        - pl.sum_horizontal("goods_minor", "discount_minor", "tax_minor", "ship", "fee", "gift"),
    )


def lines(
    frame: pl.DataFrame, rules: FileRules = USUAL, *, storefront: str, run_id: str, orders: pl.DataFrame
) -> Staged:
    """`core.order_lines` of a lines file alone, for orders that are staged already (`core.orders`).

    The lines are as the file states them; use `orders(…, lines=…)` to have header and lines agree.
    """
    heads = orders.select("order_ref", "currency", order_key="order_number").unique(
        "order_key", keep="first", maintain_order=True
    )
    found = read_lines(frame, rules, heads, prefix="")
    table = found.frame.with_columns(
        storefront=pl.lit(storefront, dtype=pl.String),
        run_id=pl.lit(run_id, dtype=pl.String),
        line_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("order_ref"),
    ).select(
        "storefront",
        "order_ref",
        "line_ref",
        "line_no",
        "kind_code",
        "sku",
        pl.lit(None, dtype=pl.String).alias("category_ref"),
        "description",
        pl.col("quantity").cast(QUANTITY),
        pl.col("unit_price").cast(PRICE),
        "currency",
        "net_minor",
        "discount_minor",
        "tax_minor",
        "tax_code",
        "run_id",
    )
    return Staged({"core.order_lines": table}, found.problems)


def payments(frame: pl.DataFrame, rules: FileRules = USUAL, *, storefront: str, run_id: str) -> Staged:
    """`core.payments`: one row per row of the file, which may be several per order.

    Without a kind, a negative amount is a refund and any other a charge; a charge with a negative amount is a refund too, unless the
    rules say that amounts carry no direction. Without a state it is a success. The reference is the gateway's. A row that cannot be
    read is a pending authorization of zero with a problem.
    """
    columns = (
        "payment_ref",
        "order_number",
        "paid_at",
        "amount",
        "currency",
        "method",
        "kind",
        "state",
        "fee",
    )
    read = Reading(frame, "payments", columns, rules)
    read.upper_currency()
    read.amounts("amount", "fee")
    read.take(read_instants(read.frame, ("paid_at",), rules.formats, rules.time_zone))
    read.must("payment_ref", "paid_at", "amount", "currency")
    below = (pl.col("amount") < 0) & pl.lit(rules.sign != "refunds_positive")
    said = pl.when(pl.col("kind").is_null()).then(pl.lit("charge")).otherwise(words("kind", _KINDS))
    state = (
        pl.when(pl.col("state").is_null())
        .then(pl.lit("success"))
        .otherwise(words("state", {**STATES, **rules.statuses}))
    )
    read.frame = read.frame.with_columns(
        kind_code=pl.when(below & (said == "charge")).then(pl.lit("refund")).otherwise(said), state_code=state
    )
    read.blame(pl.col("kind_code").is_null(), "kind", "is no kind of payment that is known; map it")
    read.blame(
        pl.col("state_code").is_null(),
        "state",
        f"{NO_MEANING}; give it one in the column map or in statuses.csv",
        code="status_unknown",
    )
    return Staged(
        {"core.payments": _payments(read, "payment_ref", "paid_at", storefront, run_id)}, read.problems()
    )


def refunds(frame: pl.DataFrame, rules: FileRules = USUAL, *, storefront: str, run_id: str) -> Staged:
    """`core.payments` of kind `refund` from a refunds file, whichever sign its amounts have."""
    read = Reading(
        frame, "refunds", ("refund_ref", "order_number", "refunded_at", "amount", "currency"), rules
    )
    read.upper_currency()
    read.amounts("amount")
    read.take(read_instants(read.frame, ("refunded_at",), rules.formats, rules.time_zone))
    read.must("refund_ref", "refunded_at", "amount", "currency")
    read.frame = read.frame.with_columns(
        kind_code=pl.lit("refund"),
        state_code=pl.lit("success"),
        method=pl.lit(None, dtype=pl.String),
        fee=pl.lit(None, dtype=pl.Int64),
    )
    return Staged(
        {"core.payments": _payments(read, "refund_ref", "refunded_at", storefront, run_id)}, read.problems()
    )


def _payments(read: Reading, ref: str, when: str, storefront: str, run_id: str) -> pl.DataFrame:
    whole = read.frame.join(read.texts(), on="row_no", how="left", maintain_order="left")
    sound = pl.col("problem").is_null()
    return (
        whole.with_columns(pl.coalesce(ref, pl.format("row {}", "row_no")).alias("_ref"))
        .with_columns(_move=distinct("_ref"))
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            pl.col("_ref").alias("payment_ref"),
            pl.col("_move").alias("transaction_ref"),
            pl.col("order_number").alias("order_ref"),
            pl.when(sound).then("kind_code").otherwise(pl.lit("authorization")).alias("kind_code"),
            pl.when(sound).then("state_code").otherwise(pl.lit("pending")).alias("state_code"),
            pl.col("method").alias("tender_code"),
            pl.col(ref).alias("gateway_ref"),
            _currency().alias("currency"),
            pl.when(sound)
            .then(pl.col("amount").abs())
            .otherwise(pl.lit(0, dtype=pl.Int64))
            .alias("amount_minor"),
            pl.col("fee").abs().alias("fee_minor"),
            pl.col(when).fill_null(pl.lit(_NEVER).cast(INSTANT)).alias("occurred_at"),
            pl.lit(None, dtype=pl.String).alias("payout_ref"),
            "problem",
            "payload_sha256",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )


def stock(
    frame: pl.DataFrame, rules: FileRules = USUAL, *, source: str, run_id: str, as_of: datetime | None = None
) -> Staged:
    """`core.stock` from a stock file, as of the instant it was fetched, or of `as_of` for a frame that does not say."""
    read = Reading(frame, "stock", ("sku", "location", "on_hand", "allocated", "on_order"), rules)
    quantities = dict.fromkeys(("on_hand", "allocated", "on_order"), QUANTITY)
    read.take(read_decimals(read.frame, quantities, style=rules.style))
    read.must("sku", "on_hand")
    read.frame = read.frame.with_columns(location=pl.col("location").fill_null(""))
    read.blame(
        pl.col("sku").is_not_null() & (pl.int_range(pl.len()).over("sku", "location") > 0),
        "sku",
        "stands twice for one location",
    )
    read.frame = read.frame.with_columns(
        as_of_at=pl.coalesce(
            "fetched_at", pl.lit(as_of or _NEVER).cast(INSTANT), pl.lit(_NEVER).cast(INSTANT)
        )
    )
    table = read.sound().select(
        pl.lit(source, dtype=pl.String).alias("source"),
        "sku",
        pl.col("location").alias("location_ref"),
        pl.lit(None, dtype=pl.String).alias("native_ref"),
        pl.lit(None, dtype=pl.Int64).alias("version_no"),
        pl.col("on_hand").alias("on_hand_qty"),
        pl.col("on_order").alias("on_order_qty"),
        pl.col("allocated").alias("allocated_qty"),
        pl.lit(None, dtype=QUANTITY).alias("reserved_qty"),
        "as_of_at",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.stock": table}, read.problems().select(list(PROBLEMS_SCHEMA)))
