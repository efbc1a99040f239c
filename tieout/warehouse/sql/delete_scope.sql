-- Rows of the part that is about to be replaced.
DELETE FROM {{table}} AS kept
WHERE EXISTS (SELECT 1 FROM {{scope}} AS new WHERE {{on}})
