"""What is planned for Intacct: documents with numbers, lines, customers, applications and entries, one by one or in sums."""
