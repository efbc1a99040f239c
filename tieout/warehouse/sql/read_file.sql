-- Each row of a plain file with its number, its key (if keys are given) and its values as one JSON object of texts.
CREATE OR REPLACE TEMP TABLE tieout_rows AS
SELECT row_number() OVER () AS row_no, {{key}} AS key_text, json_object({{members}})::VARCHAR AS payload
FROM ({{rows}})
