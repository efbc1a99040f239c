-- Rows of a table whose key is in the frame of wanted keys.
SELECT {{columns}} FROM {{table}} AS kept
WHERE EXISTS (SELECT 1 FROM {{wanted}} AS new WHERE {{on}})
