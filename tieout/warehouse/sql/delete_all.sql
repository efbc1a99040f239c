-- All rows, before the table is replaced.
DELETE FROM {{table}}
