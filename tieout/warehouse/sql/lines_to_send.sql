-- Lines of the claimed documents; an application with the key Intacct gave the document it pays, a converted line with the name of the sales
-- order it is taken from and its place among that order's items, from 0.
WITH wanted AS (
    SELECT * FROM out.document_lines WHERE document_id IN (SELECT document_id FROM tieout_wanted)
),
sources AS (
    SELECT document_id, order_line_ref, component_code, row_number() OVER (PARTITION BY document_id ORDER BY line_no) - 1 AS place_no
    FROM out.document_lines
    WHERE quantity IS NOT NULL AND document_id IN (SELECT converts_id FROM wanted)
)
SELECT l.*, coalesce(l.applies_to_ref, p.intacct_key) AS applies_to_key, o.intacct_key AS converts_key, s.place_no AS converts_line_no
FROM wanted AS l
LEFT JOIN ops.outbox AS p ON p.document_id = l.applies_to_id
LEFT JOIN ops.outbox AS o ON o.document_id = l.converts_id
LEFT JOIN sources AS s
    ON s.document_id = l.converts_id AND s.order_line_ref = l.order_line_ref AND s.component_code = l.component_code
