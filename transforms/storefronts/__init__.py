"""One module per storefront, the same functions in each: raw landings in, `core` tables out. The modules do not know each other."""
