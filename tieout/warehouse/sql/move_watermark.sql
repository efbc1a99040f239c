-- A watermark moves forward in time or stays; its reference is replaced when a new one is given.
MERGE INTO ops.watermarks AS kept
USING (
    SELECT $source::VARCHAR AS source, $subject::VARCHAR AS subject, $mark_at::TIMESTAMPTZ AS mark_at,
        $mark_ref::VARCHAR AS mark_ref, $moved_at::TIMESTAMPTZ AS moved_at, $run_id::VARCHAR AS run_id
) AS new
ON (kept.source = new.source AND kept.subject = new.subject)
WHEN MATCHED THEN UPDATE SET
    mark_at = greatest(kept.mark_at, new.mark_at),
    mark_ref = coalesce(new.mark_ref, kept.mark_ref),
    moved_at = new.moved_at,
    run_id = new.run_id
WHEN NOT MATCHED THEN INSERT (source, subject, mark_at, mark_ref, moved_at, run_id)
VALUES (new.source, new.subject, new.mark_at, new.mark_ref, new.moved_at, new.run_id)
