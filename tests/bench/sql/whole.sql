-- The whole reconciliation as one would write it by hand in DuckDB: orders with invoices and memos (see reconcile.sql), and charges with
-- receipts and what the receipts are applied to; one row and one outcome for each group, entity and currency of both tie-outs. It has the
-- outcomes the bench plants, and no crosswalk, normalisation, groups, tolerance, proofs, evidence, waterfall, ageing or footing.
with orders_told as ({{reconcile}}),
ord as (
    select o.storefront, o.order_ref, o.order_number, s.entity_code as entity, o.storefront || ':' || o.order_ref as order_group
    from orders o join stores s using (storefront, store_ref)
),
bill as (
    select 'invoice' as kind, invoice_ref as ref, reference, posted_on, total_minor from ar_invoices
    where not is_deleted and state_code not in ('Draft', 'Reversed')
    union all
    select 'adjustment', adjustment_ref, reference, posted_on, total_minor from ar_adjustments
    where not is_deleted and state_code not in ('Draft', 'Reversed')
),
billed as (select o.order_group, b.* from bill b join ord o on o.order_number = b.reference),
per_order as (
    select order_group, sum(total_minor) as billed, min(posted_on) filter (where total_minor > 0) as billed_on from billed group by order_group
),
applied as (
    select a.receipt_ref, a.amount_minor, b.order_group from ar_applications a left join billed b on b.kind = 'invoice' and b.ref = a.invoice_ref
),
covered as (select order_group, sum(amount_minor) as covered from applied where order_group is not null group by order_group),
pay as (
    select p.storefront || ':' || p.payment_ref || ':' || p.transaction_ref as group_ref, o.order_group, o.entity, p.currency, p.gateway_ref,
        p.amount_minor, cast(p.occurred_at at time zone 'UTC' as date) as occurred_on
    from payments p left join ord o on o.storefront = p.storefront and o.order_ref = p.order_ref
    where p.state_code = 'success' and p.kind_code = 'charge'
),
rcp as (
    select coalesce(p.group_ref, 'intacct:receipt:' || r.receipt_ref) as group_ref, p.group_ref is null as is_orphan, r.entity_code as entity, r.currency,
        r.receipt_ref, r.total_minor, r.received_on, p.order_group
    from ar_receipts r left join pay p on p.gateway_ref = r.reference
    where not r.is_deleted and r.state_code not in ('Draft', 'Reversed')
),
used as (
    select r.group_ref, r.entity, r.currency, sum(a.amount_minor) as applied_all,
        coalesce(sum(a.amount_minor) filter (where a.order_group = r.order_group), 0) as applied_own
    from rcp r join applied a using (receipt_ref) group by all
),
received as (
    select group_ref, entity, currency, bool_or(is_orphan) as is_orphan, sum(total_minor) as actual, count(*) as n, min(total_minor) as least,
        max(total_minor) as most, max(received_on) as received_on,
        coalesce(sum(total_minor) filter (where received_on >= date '2026-09-01' and received_on < date '2026-10-01'), 0) as period_actual
    from rcp group by all
),
both_sides as (
    select coalesce(p.group_ref, r.group_ref) as group_ref, coalesce(p.entity, r.entity) as entity, coalesce(p.currency, r.currency) as currency,
        p.order_group, p.occurred_on, r.received_on, coalesce(p.amount_minor, 0) as expected, coalesce(r.actual, 0) as actual, coalesce(n, 0) as n, least, most,
        coalesce(r.is_orphan, false) as is_orphan, coalesce(period_actual, 0) as period_actual,
        case when p.occurred_on >= date '2026-09-01' and p.occurred_on < date '2026-10-01' then p.amount_minor else 0 end as period_expected
    from pay p full join received r on r.group_ref = p.group_ref and r.entity = p.entity and r.currency = p.currency
),
seen as (
    select b.*, b.expected - b.actual as delta, o.billed_on, o.billed_on is not null as is_billed,
        coalesce(o.billed, 0) - coalesce(c.covered, 0) > 0 as is_open, coalesce(u.applied_all, 0) as applied_all, coalesce(u.applied_own, 0) as applied_own
    from both_sides b
    left join per_order o on o.order_group = b.order_group
    left join covered c on c.order_group = b.order_group
    left join used u on u.group_ref = b.group_ref and u.entity = b.entity and u.currency = b.currency
),
payments_told as (
    select group_ref, entity as entity_code, currency, delta as delta_minor, period_expected as period_expected_minor, period_actual as period_actual_minor,
        case
            when is_orphan then 'receipt_without_payment'
            when n > 1 and delta < 0 and least = most and -delta % least = 0 and -delta // least < n then 'duplicate_receipt'
            when n = 0 and is_billed then 'receipt_missing'
            when n > 0 and delta > 0 then 'short_paid'
            when n > 0 and delta < 0 then 'over_paid'
            when applied_all <> applied_own then 'misapplied'
            when applied_all < actual and ((is_billed and applied_all = 0) or is_open) then 'unapplied'
            when n = 0 then 'prepaid'
            when delta = 0 and (not is_billed or (period_expected <> period_actual and billed_on > occurred_on and received_on = billed_on)) then 'prepaid'
            when delta = 0 and period_expected <> period_actual then 'cut_off'
            else 'matched'
        end as outcome_code
    from seen
)
select 'orders' as tie_out, group_ref, entity_code, currency, delta_minor, period_expected_minor, period_actual_minor, outcome_code, order_number, store_ref,
    customer_name, placed_at, owed_on, document_on, gross, expected_minor, actual_minor, e_goods, e_gift_card, e_discount, e_shipping, e_fees, e_tax, e_rounding,
    e_other, a_goods, a_gift_card, a_discount, a_shipping, a_fees, a_tax, a_rounding, a_other
from orders_told
union all by name
select 'payments' as tie_out, group_ref, entity_code, currency, delta_minor, period_expected_minor, period_actual_minor, outcome_code from payments_told
