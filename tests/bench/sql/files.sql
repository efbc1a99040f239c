-- The two plain files of bench_files.py compared by hand: the outcome of every order, counted.
WITH billed AS (
    SELECT reference, count(*) AS documents, sum(total) AS total, sum(tax) AS tax
    FROM read_csv('{{invoices}}', header = true, columns = {
        'invoice_number': 'VARCHAR', 'reference': 'VARCHAR', 'invoiced_on': 'DATE', 'currency': 'VARCHAR',
        'total': 'DECIMAL(18, 2)', 'goods': 'DECIMAL(18, 2)', 'tax': 'DECIMAL(18, 2)'
    })
    GROUP BY reference
),
placed AS (
    SELECT order_number, total, tax
    FROM read_csv('{{orders}}', header = true, columns = {
        'order_number': 'VARCHAR', 'placed_at': 'TIMESTAMPTZ', 'currency': 'VARCHAR',
        'total': 'DECIMAL(18, 2)', 'goods': 'DECIMAL(18, 2)', 'tax': 'DECIMAL(18, 2)'
    })
)
SELECT
    CASE
        WHEN billed.reference IS NULL THEN 'missing_invoice'
        WHEN placed.order_number IS NULL THEN 'missing_order'
        WHEN billed.documents > 1 AND billed.total = 2 * placed.total THEN 'duplicate_invoice'
        WHEN billed.tax <> placed.tax THEN 'amount_tax'
        WHEN billed.total <> placed.total THEN 'amount_total'
        ELSE 'matched'
    END AS outcome_code,
    count(*) AS n
FROM placed
FULL JOIN billed ON billed.reference = placed.order_number
GROUP BY ALL
