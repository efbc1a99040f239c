-- First and last row id of each chunk.
SELECT min(row_id), max(row_id)
FROM (SELECT row_id, (row_number() OVER (ORDER BY row_id) - 1) // $chunk_rows::BIGINT AS chunk_no FROM {{picked}})
GROUP BY chunk_no
ORDER BY chunk_no
