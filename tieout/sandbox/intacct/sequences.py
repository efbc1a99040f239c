"""The published order of elements: envelope and legacy functions, as data.

Sources: the XSD of DTD version 3.0 as published by Sage, and the Sage Intacct Web Services documentation for elements added later.
Generic `create` and `update` are not checked inside; `query`, `lookup` and `inspect` are newer than the published schema.
"""

from __future__ import annotations

from tieout.sandbox.intacct.content import Model

_CUR = "(basecurr?, currency, ((exchratedate:date?, exchratetype) | exchrate))?"
_RATE = "(currency, ((exchratedate:date?, exchratetype) | exchrate))?"
_DIMENSIONS = "customerid?, vendorid?, employeeid?"
_CUSTOMER = (
    "parentid?, termname?, custrepid?, shippingmethod?, custtype?, taxid?, creditlimit?, territoryid?, resaleno?, "
    "deliveryoptions?, accountlabel?, glaccountno?, glgroup?, onhold?, comments?, status?, currency?"
)
_CUSTOMER_TAIL = (
    "primary:contactholder?, billto:contactholder?, shipto:contactholder?, contactinfo:contactholder?, "
    "contactlist:any?, vsoepricelist?, customfields:customfields?, visibility:any?, supdocid?, offsetglaccountno?"
)
_SO_ITEM_REST = (
    "discsurchargememo?, locationid?, linesubtotals:linesubtotals?, departmentid?, memo?, itemdetails:itemdetails?, "
    "customfields:customfields?, revrectemplate?, revrecstartdate:date?, revrecenddate:date?, renewalmacro?, "
    f"projectid?, taskid?, costtypeid?, {_DIMENSIONS}, classid?, contractid?, fulfillmentstatus:fulfillment?, taskno?, "
    "billingtemplate?, dropship?, shipto:contactholder?, needbydate:date?, shipby:date?, "
    "donotshipbeforedate:date?, donotshipafterdate:date?, datepickticketprinted:date?, cancelafterdate:date?, "
    "shippeddate:date?"
)

TYPES: dict[str, str] = {
    "date": "year, month, day",
    "customfields": "customfield:customfield*",
    "customfield": "customfieldname, customfieldvalue",
    "contactholder": "(contactname | contact:contact)?",
    "contact": (
        "contactname, printas, taxable?, companyname?, taxgroup?, prefix?, firstname?, lastname?, initial?, phone1?, "
        "phone2?, cellphone?, pager?, fax?, email1?, email2?, url1?, url2?, status?, mailaddress:mailaddress?, taxid?"
    ),
    "mailaddress": (
        "address1?, address2?, city?, state?, zip?, country?, isocountrycode?, latitude?, longitude?"
    ),
    "invoiceitems": "lineitem:lineitem+",
    "adjustmentitems": "lineitem:lineitem+",
    "lineitem": (
        "(accountlabel | glaccountno), offsetglaccountno?, amount, allocationid?, memo?, locationid?, departmentid?, "
        "item1099?, form1099type?, form1099box?, key?, totalpaid?, totaldue?, customfields:customfields?, "
        "revrectemplate?, defrevaccount?, revrecstartdate:date?, revrecenddate:date?, projectid?, taskid?, costtypeid?, "
        f"{_DIMENSIONS}, itemid?, classid?, contractid?, warehouseid?, billable?, taxentries:taxentries?"
    ),
    "taxentries": "taxentry:taxentry+",
    "taxentry": "detailid, trx_tax?",
    "updateinvoiceitems": "(lineitem:lineitem | updatelineitem:updatelineitem)*",
    "updatelineitem": (
        "(accountlabel | glaccountno)?, offsetglaccountno?, amount?, allocationid?, memo?, locationid?, departmentid?, "
        "item1099?, form1099type?, form1099box?, customfields:customfields?, revrectemplate?, defrevaccount?, "
        "revrecstartdate:date?, revrecenddate:date?, projectid?, taskid?, costtypeid?, "
        f"{_DIMENSIONS}, itemid?, classid?, contractid?, warehouseid?, billable?, taxentries:taxentries?"
    ),
    "arpaymentitem": "invoicekey, amount",
    "arpaymentitems": "arpaymentitem:arpaymentitem*",
    "gltransactionentries": "glentry:glentry, glentry:glentry+",
    "glentry": (
        "trtype, amount, glaccountno, document?, datecreated:date?, memo?, locationid?, departmentid?, "
        f"{_DIMENSIONS}, projectid?, itemid?, classid?, contractid?, warehouseid?, customfields:customfields?, "
        f"recon_date:date?, {_RATE}"
    ),
    "sotransitems": "sotransitem:sotransitem+",
    "sotransitem": (
        "bundlenumber?, itemid, itemaliasid?, itemdesc?, taxable?, warehouseid?, quantity, unit?, "
        "linelevelsimpletaxtype?, discountpercent?, price?, conversiontype?, sourcelinekey?, " + _SO_ITEM_REST
    ),
    "updatesotransitems": "(updatesotransitem:updatesotransitem | sotransitem:sotransitem)*",
    "updatesotransitem": (
        "bundlenumber?, itemid?, itemaliasid?, itemdesc?, taxable?, warehouseid?, quantity?, unit?, "
        "linelevelsimpletaxtype?, discountpercent?, price?, conversiontype?, sourcelinekey?, " + _SO_ITEM_REST
    ),
    "linesubtotals": "linesubtotal:linesubtotal+",
    "linesubtotal": "overridedetailid, trx_tax?",
    "itemdetails": "itemdetail:itemdetail+",
    "itemdetail": "componentid?, quantity?, (serialno | lotno)?, aisle?, row?, bin?, itemexpiration:date?",
    "fulfillment": "deliverystatus?, deliverydate:date?, deferralstatus?",
    "subtotals": "subtotal:subtotal+",
    "subtotal": (
        "description, total, absval?, percentval?, locationid?, departmentid?, projectid?, "
        f"{_DIMENSIONS}, classid?, itemid?, contractid?, customfields:customfields?"
    ),
    "updatesubtotals": "updatesubtotal:subtotal*",
    "ictransitems": "ictransitem:ictransitem+",
    "ictransitem": (
        "itemid, itemdesc?, warehouseid, quantity, unit?, cost?, sourcelinekey?, locationid?, departmentid?, "
        f"itemdetails:itemdetails?, customfields:customfields?, projectid?, {_DIMENSIONS}, classid?, contractid?"
    ),
}

FUNCTIONS: dict[str, str] = {
    "create_customer": f"customerid, name, {_CUSTOMER}, externalid?, {_CUSTOMER_TAIL}",
    "update_customer": f"name?, {_CUSTOMER}, {_CUSTOMER_TAIL}",
    "delete_customer": "",
    "create_invoice": (
        "customerid, datecreated:date, dateposted:date?, datedue:date?, termname?, batchkey?, action?, invoiceno?, "
        "ponumber?, description?, externalid?, billto:contactholder?, shipto:contactholder?, "
        f"{_CUR}, nogl?, supdocid?, taxsolutionid?, customfields:customfields?, invoiceitems:invoiceitems"
    ),
    "update_invoice": (
        "customerid?, datecreated:date?, dateposted:date?, datedue:date?, termname?, action?, invoiceno?, ponumber?, "
        f"description?, payto:contactholder?, returnto:contactholder?, {_RATE}, supdocid?, customfields:customfields?, "
        "updateinvoiceitems:updateinvoiceitems?"
    ),
    "reverse_invoice": "datereversed:date, description?",
    "delete_invoice": "",
    "create_aradjustment": (
        "customerid, datecreated:date, dateposted:date?, batchkey?, adjustmentno?, action?, invoiceno?, description?, "
        f"externalid?, {_CUR}, nogl?, taxsolutionid?, aradjustmentitems:adjustmentitems"
    ),
    "reverse_aradjustment": "datereversed:date, description?",
    "delete_aradjustment": "",
    "create_arpayment": (
        "customerid, paymentamount, translatedamount?, (batchkey | bankaccountid | undepfundsacct)?, refid?, "
        f"overpaylocid?, overpaydeptid?, datereceived:date?, paymentmethod?, {_CUR}, cctype?, authcode?, "
        "arpaymentitem:arpaymentitem*, (onlinecardpayment:any | onlineachpayment:any)*"
    ),
    "apply_arpayment": (
        "arpaymentkey, paymentdate:date, batchkey?, memo?, overpaylocid?, overpaydeptid?, arpaymentitems:arpaymentitems*"
    ),
    "reverse_arpayment": "datereversed:date, description?, nsfclosedaccount?",
    "delete_arpayment": "",
    "create_gltransaction": (
        "journalid, datecreated:date, reversedate:date?, description, referenceno?, sourceentity?, "
        "customfields:customfields?, gltransactionentries:gltransactionentries"
    ),
    "create_sotransaction": (
        "transactiontype, datecreated:date, dateposted:date?, createdfrom?, customerid, documentno?, origdocdate:date?, "
        "referenceno?, termname?, datedue:date?, message?, shippingmethod?, shipto:contactholder?, "
        f"billto:contactholder?, supdocid?, externalid?, {_CUR}, vsoepricelist?, customfields:customfields?, state?, "
        "projectid?, changelognumber?, needbydate:date?, shipbydate:date?, cancelafterdate:date?, "
        "donotshipbeforedate:date?, donotshipafterdate:date?, servicedeliverydate:date?, trackingnumber?, "
        "shippeddate:date?, customerponumber?, taxsolutionid?, sotransitems:sotransitems, subtotals:subtotals?"
    ),
    "update_sotransaction": (
        "datecreated:date?, dateposted:date?, referenceno?, termname?, datedue:date?, origdocdate:date?, message?, "
        "shippingmethod?, shipto:contactholder?, billto:contactholder?, supdocid?, externalid?, "
        f"{_CUR}, vsoepricelist?, customfields:customfields?, state?, projectid?, trackingnumber?, shippeddate:date?, "
        "updatesotransitems:updatesotransitems?, updatesubtotals:updatesubtotals?"
    ),
    "delete_sotransaction": "",
    "create_ictransaction": (
        "transactiontype, datecreated:date, createdfrom?, documentno?, referenceno?, message?, externalid?, basecurr?, "
        "customfields:customfields?, state?, ictransitems:ictransitems, subtotals:subtotals?"
    ),
    "getAPISession": "locationid?",
    "get_closedbooksdate": "",
    "get_icitemtotals": "itemid?, warehouseid?",
    "readUserFormatting": "",
    "readEntityDetails": "",
}

NEEDS_KEY = frozenset(
    {
        "update_invoice",
        "reverse_invoice",
        "delete_invoice",
        "reverse_aradjustment",
        "delete_aradjustment",
        "reverse_arpayment",
        "delete_arpayment",
        "update_sotransaction",
        "delete_sotransaction",
    }
)
NEEDS_CUSTOMER_ID = frozenset({"update_customer", "delete_customer"})
UNCHECKED = frozenset({"create", "update", "query", "lookup", "inspect"})
ANY_ORDER: dict[str, frozenset[str]] = {
    "delete": frozenset({"object", "keys"}),
    "read": frozenset({"object", "keys", "fields", "returnFormat", "docparid"}),
    "readByName": frozenset({"object", "keys", "fields", "returnFormat", "docparid"}),
    "readByQuery": frozenset({"object", "query", "fields", "pagesize", "returnFormat", "docparid"}),
    "readMore": frozenset({"object", "view", "reportId", "resultId", "returnFormat"}),
}
GENERIC = UNCHECKED | frozenset(ANY_ORDER)

ENVELOPE: dict[str, str] = {
    "request": "control:control, operation:operation+",
    "control": (
        "senderid, password?, controlid, uniqueid?, dtdversion?, policyid?, debug?, validate?, includewhitespace?, "
        "showadditionalerrorinfo?"
    ),
    "operation": "authentication:authentication, preferences:any*, content:content*",
    "authentication": "login:login | sessionid | oauth:any",
    "login": "userid, companyid, password, clientid?, locationid?",
    "content": "function:any+",
}

MODELS: dict[str, Model] = {name: Model(source) for name, source in TYPES.items()}
FUNCTION_MODELS: dict[str, Model] = {name: Model(source) for name, source in FUNCTIONS.items()}
ENVELOPE_MODELS: dict[str, Model] = {name: Model(source) for name, source in ENVELOPE.items()}
