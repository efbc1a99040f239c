-- How far staging has come with a source and subject.
MERGE INTO ops.stage_cursors AS kept
USING tieout_incoming AS new
ON (kept.source = new.source AND kept.subject = new.subject)
WHEN MATCHED THEN UPDATE SET landing_no = new.landing_no, moved_at = new.moved_at, run_id = new.run_id
WHEN NOT MATCHED THEN INSERT (source, subject, landing_no, moved_at, run_id)
VALUES (new.source, new.subject, new.landing_no, new.moved_at, new.run_id)
