-- title: Completeness
-- audience: finance, operators
-- about: What each source stated, what was read, staged and held, per run.
-- column: source_count what the source itself says it has; empty if it does not say
SELECT run_id, stage, source, subject, source_count, read_count, new_count, good_count, held_count, "at"
FROM ops.controls
ORDER BY "at" DESC, source, subject
