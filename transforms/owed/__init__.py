"""What the shop's trade owes Intacct: sales when they are recognised, refunds, charges, reductions and what changed after it was posted."""
