-- How many rows of the table carry one of the incoming keys; as many as there are keys, if the key is unique.
SELECT count(*) FROM {{table}} AS kept
WHERE EXISTS (SELECT 1 FROM {{incoming}} AS new WHERE {{on}})
