-- The newest forecast of a month in place of the one before.
MERGE INTO ops.quota_forecast AS kept
USING tieout_incoming AS new
ON (kept.month = new.month)
WHEN MATCHED THEN UPDATE SET used_no = new.used_no, planned_no = new.planned_no, pace_no = new.pace_no, forecast_no = new.forecast_no,
    limit_no = new.limit_no, "at" = new."at", run_id = new.run_id
WHEN NOT MATCHED THEN INSERT (month, used_no, planned_no, pace_no, forecast_no, limit_no, "at", run_id)
    VALUES (new.month, new.used_no, new.planned_no, new.pace_no, new.forecast_no, new.limit_no, new."at", new.run_id)
