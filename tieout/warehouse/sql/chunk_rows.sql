-- The picked rows between two row ids; the range lets DuckDB skip every other block.
SELECT {{columns}}
FROM {{table}}
WHERE rowid BETWEEN $first_row::BIGINT AND $last_row::BIGINT
    AND rowid IN (SELECT row_id FROM {{picked}} WHERE row_id BETWEEN $first_row::BIGINT AND $last_row::BIGINT)
