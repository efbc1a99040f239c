-- The comparison of orders with invoices and memos as one would write it by hand in DuckDB: match by reference, sum both sides by
-- order, entity and currency with their components, and give each row one outcome. It has the same outcomes as the engine
-- for what the bench plants; it has no crosswalk, no number normalisation, no groups of several orders and no evidence.
with store as (select * from stores),
ord as (
    select o.*, s.entity_code as entity, coalesce(c.customer_id, s.guest_customer_id) as customer, o.storefront || ':' || o.order_ref as group_ref
    from orders o
    join store s using (storefront, store_ref)
    left join customer_ids c on c.storefront = o.storefront and c.customer_ref = o.customer_ref
),
doc as (
    select 'invoice' as kind, invoice_ref as ref, reference, entity_code, customer_id, currency, posted_on, total_minor from ar_invoices
    where not is_deleted and state_code not in ('Draft', 'Reversed')
    union all
    select 'adjustment', adjustment_ref, reference, entity_code, customer_id, currency, posted_on, total_minor from ar_adjustments
    where not is_deleted and state_code not in ('Draft', 'Reversed')
),
named as (
    select doc.*, o.group_ref as found, coalesce(o.group_ref, 'intacct:' || doc.kind || ':' || doc.ref) as group_ref
    from doc left join ord o on o.order_number = doc.reference
),
line as (
    select n.group_ref, n.entity_code as entity, n.currency,
        sum(amount_minor) filter (where component_code = 'goods') as goods, sum(amount_minor) filter (where component_code = 'gift_card') as gift_card,
        sum(amount_minor) filter (where component_code = 'discount') as discount, sum(amount_minor) filter (where component_code = 'shipping') as shipping,
        sum(amount_minor) filter (where component_code = 'fees') as fees, sum(amount_minor) filter (where component_code = 'tax') as tax,
        sum(amount_minor) filter (where component_code = 'rounding') as rounding, sum(amount_minor) filter (where component_code = 'other') as other
    from ar_lines l join named n on n.kind = l.document_kind and n.ref = l.document_ref
    group by all
),
actual as (
    select group_ref, entity_code as entity, currency, sum(total_minor) as actual, sum(total_minor) filter (where total_minor > 0) as invoiced,
        sum(total_minor) filter (where posted_on >= date '2026-09-01' and posted_on < date '2026-10-01') as period_actual,
        count(*) filter (where total_minor > 0) as n_invoices, count(*) filter (where total_minor < 0) as n_memos,
        min(customer_id) as customer_low, max(customer_id) as customer_high, bool_or(found is null) as is_orphan,
        max(posted_on) as document_on, min(total_minor) filter (where total_minor > 0) as least, max(total_minor) as most
    from named group by all
),
expected as (
    select o.group_ref, w.entity_code as entity, w.currency, sum(w.total_minor) as expected, sum(w.total_minor) filter (where w.event_code = 'sale') as sales,
        sum(w.total_minor) filter (where owed_on >= date '2026-09-01' and owed_on < date '2026-10-01') as period_expected,
        count(*) filter (where w.event_code = 'sale') as n_sales, count(*) filter (where w.event_code = 'credit') as n_credits, max(owed_on) as owed_on,
        sum(goods_minor) as goods, sum(gift_card_minor) as gift_card, sum(discount_minor) as discount, sum(shipping_minor) as shipping,
        sum(fees_minor) as fees, sum(tax_minor) as tax, sum(rounding_minor) as rounding, sum(other_minor) as other
    from owed w join ord o using (storefront, order_ref)
    where w.event_code in ('sale', 'credit')
    group by all
),
base as (select group_ref, entity, currency, customer, status_code, is_test, total_minor as gross, customer_name, order_number, placed_at, store_ref from ord),
wide as (
    select coalesce(b.group_ref, e.group_ref, a.group_ref) as group_ref, coalesce(b.entity, e.entity, a.entity) as entity,
        coalesce(b.currency, e.currency, a.currency) as currency, b.group_ref is not null as is_base, b.customer, b.status_code, b.is_test, b.gross,
        b.customer_name, b.order_number, b.placed_at, b.store_ref, a.document_on, e.owed_on,
        coalesce(expected, 0) as expected, coalesce(sales, 0) as sales, coalesce(period_expected, 0) as period_expected,
        coalesce(n_sales, 0) as n_sales, coalesce(n_credits, 0) as n_credits, coalesce(actual, 0) as actual, coalesce(invoiced, 0) as invoiced,
        coalesce(period_actual, 0) as period_actual, coalesce(n_invoices, 0) as n_invoices, coalesce(n_memos, 0) as n_memos, customer_low, customer_high,
        coalesce(is_orphan, false) as is_orphan, least, most,
        coalesce(e.goods, 0) as e_goods, coalesce(l.goods, 0) as a_goods, coalesce(e.gift_card, 0) as e_gift_card, coalesce(l.gift_card, 0) as a_gift_card,
        coalesce(e.discount, 0) as e_discount, coalesce(l.discount, 0) as a_discount, coalesce(e.shipping, 0) as e_shipping, coalesce(l.shipping, 0) as a_shipping,
        coalesce(e.fees, 0) as e_fees, coalesce(l.fees, 0) as a_fees, coalesce(e.tax, 0) as e_tax, coalesce(l.tax, 0) as a_tax,
        coalesce(e.rounding, 0) as e_rounding, coalesce(l.rounding, 0) as a_rounding, coalesce(e.other, 0) as e_other, coalesce(l.other, 0) as a_other
    from base b
    full join expected e on e.group_ref = b.group_ref and e.entity = b.entity and e.currency = b.currency
    full join actual a on a.group_ref = coalesce(b.group_ref, e.group_ref) and a.entity = coalesce(b.entity, e.entity) and a.currency = coalesce(b.currency, e.currency)
    left join line l on l.group_ref = a.group_ref and l.entity = a.entity and l.currency = a.currency
),
away as (
    select w.group_ref, bool_or(w.currency <> o.currency) as other_currency, bool_or(w.entity <> o.entity) as other_entity
    from wide w join ord o on o.group_ref = w.group_ref
    where not w.is_base and not w.is_orphan
    group by all
),
judged as (
    select w.*, expected - actual as delta, (expected - sales) - (actual - invoiced) as credit_gap,
        (e_goods <> a_goods)::int + (e_gift_card <> a_gift_card)::int + (e_discount <> a_discount)::int + (e_shipping <> a_shipping)::int
            + (e_fees <> a_fees)::int + (e_tax <> a_tax)::int as n_parts,
        away.group_ref is not null and (not is_base or expected <> actual) as misplaced, away.other_currency
    from wide w left join away on away.group_ref = w.group_ref
)
select group_ref, entity as entity_code, currency, order_number, store_ref, customer_name, placed_at, owed_on, document_on, gross, expected as expected_minor,
    actual as actual_minor, delta as delta_minor, period_expected as period_expected_minor, period_actual as period_actual_minor,
    e_goods, e_gift_card, e_discount, e_shipping, e_fees, e_tax, e_rounding, e_other, a_goods, a_gift_card, a_discount, a_shipping, a_fees, a_tax, a_rounding, a_other,
    case
        when is_orphan then 'missing_order'
        when is_base and status_code = 'cancelled' and n_sales = 0 and actual > 0 then 'cancelled_but_invoiced'
        when misplaced and other_currency then 'currency'
        when misplaced then 'entity'
        when delta <> 0 and n_invoices > 1 and least = most and invoiced > sales and (invoiced - sales) % most = 0 then 'duplicate_invoice'
        when n_sales > 0 and n_invoices = 0 then 'missing_invoice'
        when delta < 0 and invoiced > sales and n_invoices > 1 and n_parts > 1 then 'over_invoiced'
        when credit_gap < 0 and n_memos < n_credits then 'refund_without_credit_memo'
        when credit_gap > 0 and n_memos > n_credits then 'credit_memo_without_refund'
        when delta <> 0 and n_parts = 1 and e_goods <> a_goods then 'amount_goods'
        when delta <> 0 and n_parts = 1 and e_discount <> a_discount then 'amount_discount'
        when delta <> 0 and n_parts = 1 and e_shipping <> a_shipping then 'amount_shipping'
        when delta <> 0 and n_parts = 1 and e_tax <> a_tax then 'amount_tax'
        when delta <> 0 or n_parts > 0 then 'amount_total'
        when customer_low is not null and (customer_low <> customer or customer_high <> customer) then 'customer'
        when period_expected <> period_actual then 'cut_off'
        when n_sales > 0 then 'matched'
        when status_code = 'cancelled' or is_test or gross = 0 then 'not_owed'
        else 'not_yet_recognised'
    end as outcome_code
from judged
