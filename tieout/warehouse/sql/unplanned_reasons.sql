-- How much of what is owed is not planned, by reason.
SELECT reason_code, count(*) AS events_no FROM ops.unplanned GROUP BY reason_code ORDER BY reason_code
