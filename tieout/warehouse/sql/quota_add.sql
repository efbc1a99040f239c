-- Calls and transactions on top of what this run has used in the month already.
MERGE INTO ops.quota AS kept
USING tieout_incoming AS new
ON (kept.month = new.month AND kept.run_id = new.run_id AND kept.purpose = new.purpose)
WHEN MATCHED THEN UPDATE SET calls_no = kept.calls_no + new.calls_no, transactions_no = kept.transactions_no + new.transactions_no
WHEN NOT MATCHED THEN INSERT (month, run_id, purpose, calls_no, transactions_no)
    VALUES (new.month, new.run_id, new.purpose, new.calls_no, new.transactions_no)
