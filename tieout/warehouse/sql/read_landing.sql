-- The parts of a landing, payloads as the text they are; nothing is detected, so nothing is re-parsed as a number.
CREATE OR REPLACE TEMP TABLE tieout_landed AS
SELECT native_ref, version_no, updated_at, payload, payload_sha256, problem, fetched_at
FROM read_json(
    {{files}},
    format = 'newline_delimited',
    compression = 'gzip',
    maximum_object_size = {{largest}},
    columns = {
        native_ref: 'VARCHAR', version_no: 'BIGINT', updated_at: 'TIMESTAMPTZ', payload: 'VARCHAR',
        payload_sha256: 'VARCHAR', problem: 'VARCHAR', fetched_at: 'TIMESTAMPTZ'
    }
)
