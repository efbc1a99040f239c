-- The limit: one hash join of orders with invoices on the number, counted and subtracted. No job of this kind can be faster.
select count(*) as rows, sum(o.total_minor - i.total_minor) as difference
from orders o join ar_invoices i on i.reference = o.order_number
