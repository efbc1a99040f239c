-- title: Intacct API transactions
-- audience: operators
-- about: Transactions used per month and purpose, by the published counting rules.
-- column: transactions_no one per record written, one per page read
SELECT month, purpose, sum(calls_no)::BIGINT AS calls_no, sum(transactions_no)::BIGINT AS transactions_no
FROM ops.quota
GROUP BY month, purpose
ORDER BY month, purpose
