"""Sage Intacct's rows to core: documents, ledger entries, prices and shipments."""
