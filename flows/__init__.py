"""When, in what order, and what if it fails: the table of contents of the tool.

Each stage is a plain function over a `House` (settings, warehouse, couriers); `flows.scheduled` dresses them as Prefect flows.
"""
