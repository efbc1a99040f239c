-- A landing that was taken in, said once however often it is taken in.
MERGE INTO ops.landings AS kept
USING (
    SELECT $landing_id::VARCHAR AS landing_id, $table_name::VARCHAR AS table_name, $source::VARCHAR AS source, $subject::VARCHAR AS subject,
        $landing_no::BIGINT AS landing_no, $files::VARCHAR AS files, $read_count::BIGINT AS read_count, $new_count::BIGINT AS new_count,
        $at::TIMESTAMPTZ AS "at", $run_id::VARCHAR AS run_id
) AS new
ON (kept.landing_id = new.landing_id)
WHEN MATCHED THEN UPDATE SET
    table_name = new.table_name, source = new.source, subject = new.subject, landing_no = new.landing_no, files = new.files,
    read_count = new.read_count, new_count = new.new_count, "at" = new."at", run_id = new.run_id
WHEN NOT MATCHED THEN INSERT (landing_id, table_name, source, subject, landing_no, files, read_count, new_count, "at", run_id)
VALUES (
    new.landing_id, new.table_name, new.source, new.subject, new.landing_no, new.files, new.read_count, new.new_count, new."at", new.run_id
)
