-- How a run ended, said of the row that was made when it started.
UPDATE ops.runs AS kept
SET ended_at = new.ended_at, state_code = new.state_code, summary = new.summary, error = new.error
FROM tieout_incoming AS new
WHERE kept.run_id = new.run_id
