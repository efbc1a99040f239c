-- title: Available to web, worked out again
-- audience: operators, analysts
-- about: The same formula written in SQL over out.web_stock_parts, beside what was published. A difference other than 0 is a defect of tieout.
-- column: proof_qty  available by this query
-- column: difference_qty published figure less this one
WITH scaled AS (
    SELECT storefront, sku, location_ref,
           CAST(per_piece_qty * 10000 AS HUGEINT) AS per_piece,
           CAST(on_hand_qty * 10000 AS HUGEINT) AS on_hand,
           CAST(allocated_qty * 10000 AS HUGEINT) AS allocated,
           CAST(held_qty * 10000 AS HUGEINT) AS held,
           CAST(keep_qty * 10000 AS HUGEINT) AS keep,
           CAST(buffer_percent * 10000 AS HUGEINT) AS buffer_percent,
           CAST(buffer_units_qty * 10000 AS HUGEINT) AS buffer_units,
           CAST(share_percent * 10000 AS HUGEINT) AS share_percent
    FROM out.web_stock_parts
),
buffered AS (
    SELECT *,
           10000 * ((greatest(on_hand, 0) * buffer_percent + 9999999999) // 10000000000
                    + (buffer_units + 9999) // 10000) AS buffer
    FROM scaled
),
pieces AS (
    SELECT storefront, sku, location_ref,
           bool_or(on_hand IS NULL) AS is_unknown,
           min(greatest(on_hand - allocated - held - buffer - keep, 0) * share_percent // 1000000 // per_piece) AS pieces
    FROM buffered
    GROUP BY ALL
)
SELECT w.storefront, w.sku, w.location_ref, w.available_qty,
       CAST(CASE WHEN p.is_unknown THEN 0 ELSE coalesce(p.pieces, 0) END AS BIGINT) AS proof_qty,
       CAST(w.available_qty - CASE WHEN p.is_unknown THEN 0 ELSE coalesce(p.pieces, 0) END AS BIGINT) AS difference_qty
FROM out.web_stock AS w
LEFT JOIN pieces AS p USING (storefront, sku, location_ref)
ORDER BY storefront, sku, location_ref
