"""One seeded world of trade: what was ordered, paid, shipped, sent back and kept in stock, and what a previous
integration wrote into the ledger about it, with planted faults whose list stays apart from all the rest.

Everything follows from ``(seed, number of orders)`` by integer arithmetic and ``random.Random.random()``, so the same seed
gives the same bytes on any machine. Orders are worked out when asked for, which is what lets a million of them start fast.
"""
