-- Upsert by business key; rows whose compared columns are the same are left alone.
MERGE INTO {{table}} AS kept
USING {{incoming}} AS new
ON ({{on}})
WHEN MATCHED AND ({{differs}}) THEN UPDATE SET {{assignments}}
WHEN NOT MATCHED THEN INSERT ({{columns}}) VALUES ({{values}})
