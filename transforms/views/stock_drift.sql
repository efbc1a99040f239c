-- title: Stock figures that are not what was published
-- audience: operators
-- about: Rows read back from the storefronts after publishing, where they show another figure than was written. A sale in between explains it where the storefront lowers its own figure; anything else is somebody else writing.
-- column: drift_qty what the storefront shows less what was published
SELECT storefront, sku, location_ref, expected_qty, found_qty, found_qty - expected_qty AS drift_qty, "at" AS seen_at, run_id
FROM ops.stock_checks
WHERE found_qty IS DISTINCT FROM expected_qty
ORDER BY "at" DESC, storefront, sku, location_ref
