-- title: Intacct API transactions
-- audience: operators
-- about: Transactions used per month and purpose, by the published counting rules, beside the month's forecast and the limit of the contract.
-- column: transactions_no one per record written, one per page read
-- column: used_no all purposes of the month together
-- column: forecast_no what the month will come to: used, planned, and the days left at this month's pace; null without a plan that month
-- column: limit_no what the contract includes; null if it is not watched
SELECT quota.month, quota.purpose, sum(quota.calls_no)::BIGINT AS calls_no, sum(quota.transactions_no)::BIGINT AS transactions_no,
       sum(sum(quota.transactions_no)) OVER (PARTITION BY quota.month)::BIGINT AS used_no,
       any_value(forecast.forecast_no) AS forecast_no, nullif(any_value(forecast.limit_no), 0) AS limit_no
FROM ops.quota AS quota
LEFT JOIN ops.quota_forecast AS forecast USING (month)
GROUP BY quota.month, quota.purpose
ORDER BY quota.month, quota.purpose
