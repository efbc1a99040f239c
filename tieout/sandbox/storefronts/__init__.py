"""Stand-in storefronts: each tells the seeded world in its platform's own dialect of auth, paging, money and errors."""
