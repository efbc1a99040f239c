"""What a plan is made of: what the trade owes, and which orders are looked at, piece by piece."""
