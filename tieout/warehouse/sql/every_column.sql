-- A table or view as it is, for looking at its columns and types; it is bound and never run.
SELECT * FROM {{table}}
