"""The Sage Intacct XML gateway: documents to XML, replies to plain rows, and one client that never guesses what happened.

`documents` says what may be posted, `limits` what the company accepts, `legacy` and `generic` write the two families of functions,
`envelopes` wraps them, `replies` reads answers, `classify` names errors, `session` signs in, `reading` builds queries, `archive`
removes secrets from what is kept, and `gateway` puts them together. Nothing here knows of orders, warehouses or schedules.
"""
