"""What a reconciliation is made of beside the orders: what changed, what is kept, payouts, refunds, the ledger, and decisions of people."""
