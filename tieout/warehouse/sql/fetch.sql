-- Rows of a table that meet simple conditions.
SELECT {{columns}} FROM {{table}} AS kept WHERE {{where}}
