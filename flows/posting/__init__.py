"""What posting is made of: turns of the outbox, reading back, holding back, and what a person may do about what waits."""
