-- Lines of the claimed documents; an application with the key Intacct gave the document it pays.
SELECT l.*, coalesce(l.applies_to_ref, p.intacct_key) AS applies_to_key
FROM out.document_lines AS l
LEFT JOIN ops.outbox AS p ON p.document_id = l.applies_to_id
WHERE l.document_id IN (SELECT document_id FROM tieout_wanted)
