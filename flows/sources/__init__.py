"""What reading storefronts and Intacct shares, and how Intacct is read."""
