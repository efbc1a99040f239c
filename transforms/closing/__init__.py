"""The arithmetic of a close: calendars, open items carried forward, what moved after the lock, cut-off, and who may sign what when."""
