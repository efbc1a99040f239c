-- title: Prices the storefronts show, beside those Intacct told them
-- audience: analysts, finance
-- about: Every price of every storefront by SKU, currency and customer level, with the price Intacct last told it where prices are written back. A difference is somebody else's change, or a price that was refused.
-- column: level customer group that pays it; empty for everybody
-- column: shown_amount what the storefront shows, in major units
-- column: told_amount what Intacct told it; empty where prices are not written back
-- column: difference_amount shown less told
SELECT shown.storefront, shown.sku, product.name, product.category_refs, shown.currency, shown.level_ref AS level,
       shown.country_code, shown.amount AS shown_amount, told.amount AS told_amount,
       shown.amount - told.amount AS difference_amount, told."at" AS told_at,
       shown.is_active AND coalesce(product.is_active, true) AS is_active
FROM core.web_prices AS shown
LEFT JOIN core.products AS product USING (storefront, sku)
LEFT JOIN (
    SELECT storefront, subject_ref AS sku, json_extract_string("value", '$.currency') AS currency,
           json_extract_string("value", '$.level') AS "level", "at",
           CAST(json_extract_string("value", '$.amount') AS DECIMAL(28, 12)) AS amount
    FROM ops.writes
    WHERE field = 'price' AND outcome IN ('written', 'unchanged')
    QUALIFY row_number() OVER (PARTITION BY storefront, "key" ORDER BY "at" DESC) = 1
) AS told
    ON told.storefront = shown.storefront AND told.sku = shown.sku
    AND told.currency = coalesce(shown.currency, told.currency)
    AND coalesce(told."level", '') = coalesce(shown.level_ref, '')
    AND coalesce(shown.least_qty, 1) <= 1
ORDER BY shown.storefront, shown.sku, shown.currency, shown.level_ref, shown.price_ref
