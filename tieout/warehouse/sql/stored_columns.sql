-- Every column of every table and view of the warehouse, in order.
SELECT schema_name || '.' || table_name AS "table", column_name, data_type
FROM duckdb_columns()
WHERE database_name = $catalog
ORDER BY schema_name, table_name, column_index
