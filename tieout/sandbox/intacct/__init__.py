"""A stand-in for the Sage Intacct XML gateway that keeps real books.

`gateway.Gateway` answers requests, `books.Books` keeps subledger and general ledger in balance, `company.Company` is the set-up in
a TOML file. Everything that is not publicly known about the real gateway is a knob in that file.

Error numbers, and how to see each of them:

==============  ========  ===============================================================================================
number          level     what brings it about
==============  ========  ===============================================================================================
`XL03000003`    control   XML that is not well-formed, has a document type, or breaks the published order of elements
`XL03000006`    control   wrong sender or password; any policyid
`XL03000006`    authent.  wrong user, password, company or entity; an expired session; a sender without authorisation
`XL03000006`    result    a field that cannot be queried; a filter that cannot be read
`XL03000009`    result    a roll-back (transaction="true"); an unknown object in query
`XL03000027`    result    paying more than is due
`GW-0010`       HTTP 429  knob concurrency; fault `throttle`
`GW-0011`       HTTP 400  an empty body, or no sender or password
`BL01001973`    result    most business refusals: unknown customer, account or location; closed period (knob); half_fail
`BL34000061`    result    a customer, contact or item id that is taken
`PL05000104`    result    fault `refuse` with this errorno (seen only for employees and vendors)
`BL03002185`    result    a document number that is taken (knob duplicate_numbers)
`BL03002128`    result    no document number with knob numbering = "required"
`BL03002101`    result    a line without amount; a document without lines
`BL03001994`    result    a line without location in a multi-entity company
`BL03000018`    result    bad e-mail, date, amount, character, unit; too long
`BL03002129`    result    fault `refuse` with this errorno (its trigger belongs to transfers)
`PL01000127`    result    a receipt without DOCNUMBER with knob document_number_missing
`PL04000055`    control   [company] expired = true
`PL04000005`    result    a user without the write or read permission
`DL02000001`    result    AUDITHISTORY without the audit permission; an unknown resultId
`DL03000005`    result    a record key that names nothing
`WSP001`        result    fault `refuse` with this errorno
`Query Failed`  result    readByQuery, read or readByName of an unknown object
`Invalid ...`   result    read or readByQuery with an unknown field: the whole sentence is the number
==============  ========  ===============================================================================================
"""
