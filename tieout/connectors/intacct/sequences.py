"""The published order of children of legacy functions, as data.

Legacy functions are checked against a schema by the gateway, and one element out of place makes it refuse the whole request
with XL03000003. Each entry lists an element's children in order: `(name, most times)`, optional unless marked; names in one
tuple exclude each other. Source: the public schema of the XML gateway, version 3.0, with the additions of the Sage Intacct Web
Services documentation (AR invoices, AR adjustments, order entry). Elements the schema allows and this project never writes are
kept, so that the tables can judge any request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MANY = 1_000_000


class Child(NamedTuple):
    """One place in a sequence: the names allowed there, how often, and whether the place must be filled."""

    names: tuple[str, ...]
    most: int = 1
    required: bool = False


def _sequence(text: str) -> tuple[Child, ...]:
    """`a! b c|d e*`: required `a`, optional `b`, `c` or `d`, any number of `e`; `+` is one or more."""
    children = []
    for word in text.split():
        mark = word[-1] if word[-1] in "!*+" else ""
        names = tuple(word.rstrip("!*+").split("|"))
        children.append(Child(names, MANY if mark in ("*", "+") else 1, mark in ("!", "+")))
    return tuple(children)


_CURRENCY = "basecurr currency exchratedate exchratetype|exchrate"
_DIMENSIONS = "customerid vendorid employeeid"

_AR_LINE_TEXT = (
    "accountlabel|glaccountno! offsetglaccountno amount! allocationid memo locationid departmentid item1099 form1099type "
    "form1099box key totalpaid totaldue customfields revrectemplate defrevaccount revrecstartdate revrecenddate projectid "
    f"taskid costtypeid {_DIMENSIONS} itemid classid contractid warehouseid billable taxentries"
)
_SALES_LINE_TEXT = (
    "bundlenumber itemid! itemaliasid itemdesc taxable warehouseid quantity! unit linelevelsimpletaxtype discountpercent price "
    "conversiontype sourcelinekey discsurchargememo locationid linesubtotals departmentid memo itemdetails customfields "
    f"revrectemplate revrecstartdate revrecenddate renewalmacro projectid taskid costtypeid {_DIMENSIONS} classid contractid "
    "fulfillmentstatus taskno billingtemplate dropship shipto needbydate shipby donotshipbeforedate donotshipafterdate "
    "datepickticketprinted cancelafterdate shippeddate"
)
_CUSTOMER_BODY = (
    "parentid termname custrepid shippingmethod custtype taxid creditlimit territoryid resaleno deliveryoptions accountlabel "
    "glaccountno glgroup onhold comments status currency {externalid} primary billto shipto contactinfo contactlist vsoepricelist "
    "customfields visibility supdocid offsetglaccountno"
)
_DATE = _sequence("year! month! day!")

SEQUENCES: dict[str, tuple[Child, ...]] = {
    "create_customer": _sequence("customerid! name! " + _CUSTOMER_BODY.format(externalid="externalid")),
    "update_customer": _sequence("name " + _CUSTOMER_BODY.format(externalid="")),
    "contactinfo": _sequence("contact|contactname!"),
    "billto": _sequence("contact|contactname!"),
    "shipto": _sequence("contact|contactname!"),
    "contact": _sequence(
        "contactname! printas! taxable companyname taxgroup prefix firstname lastname initial phone1 phone2 cellphone pager fax "
        "email1 email2 url1 url2 status mailaddress taxid"
    ),
    "mailaddress": _sequence("address1 address2 city state zip country isocountrycode latitude longitude"),
    "customfields": _sequence("customfield+"),
    "customfield": _sequence("customfieldname! customfieldvalue!"),
    "create_invoice": _sequence(
        "customerid! datecreated! dateposted datedue termname batchkey action invoiceno ponumber description externalid billto "
        f"shipto {_CURRENCY} nogl supdocid taxsolutionid customfields invoiceitems!"
    ),
    "invoiceitems": _sequence("lineitem+"),
    "lineitem": _sequence(_AR_LINE_TEXT),
    "taxentries": _sequence("taxentry+"),
    "taxentry": _sequence("detailid! trx_tax"),
    "update_invoice": _sequence(
        "customerid datecreated dateposted datedue termname action invoiceno ponumber description payto returnto currency "
        "exchratedate exchratetype|exchrate supdocid customfields updateinvoiceitems"
    ),
    "updateinvoiceitems": _sequence("lineitem|updatelineitem*"),
    "updatelineitem": _sequence(_AR_LINE_TEXT.replace("!", "")),
    "reverse_invoice": _sequence("datereversed! description"),
    "create_aradjustment": _sequence(
        "customerid! datecreated! dateposted batchkey adjustmentno action invoiceno description externalid "
        f"{_CURRENCY} nogl taxsolutionid aradjustmentitems!"
    ),
    "aradjustmentitems": _sequence("lineitem+"),
    "create_arpayment": _sequence(
        "customerid! paymentamount! translatedamount batchkey|bankaccountid|undepfundsacct refid overpaylocid overpaydeptid "
        f"datereceived paymentmethod {_CURRENCY} cctype authcode arpaymentitem* onlinecardpayment|onlineachpayment*"
    ),
    "arpaymentitem": _sequence("invoicekey! amount!"),
    "apply_arpayment": _sequence(
        "arpaymentkey! paymentdate! batchkey memo overpaylocid overpaydeptid arpaymentitems*"
    ),
    "arpaymentitems": _sequence("arpaymentitem*"),
    "reverse_arpayment": _sequence("datereversed! description nsfclosedaccount"),
    "create_gltransaction": _sequence(
        "journalid! datecreated! reversedate description! referenceno sourceentity customfields gltransactionentries!"
    ),
    "gltransactionentries": _sequence("glentry+"),
    "glentry": _sequence(
        "trtype! amount! glaccountno! document datecreated memo locationid departmentid customerid vendorid employeeid projectid "
        "itemid classid contractid warehouseid customfields recon_date currency exchratedate exchratetype|exchrate"
    ),
    "create_sotransaction": _sequence(
        "transactiontype! datecreated! dateposted createdfrom customerid! documentno origdocdate referenceno termname datedue message "
        f"shippingmethod shipto billto supdocid externalid {_CURRENCY} vsoepricelist customfields state projectid changelognumber "
        "needbydate shipbydate cancelafterdate donotshipbeforedate donotshipafterdate servicedeliverydate trackingnumber shippeddate "
        "customerponumber taxsolutionid sotransitems! subtotals"
    ),
    "sotransitems": _sequence("sotransitem+"),
    "sotransitem": _sequence(_SALES_LINE_TEXT),
    "linesubtotals": _sequence("linesubtotal+"),
    "linesubtotal": _sequence("overridedetailid! trx_tax"),
    "update_sotransaction": _sequence(
        "datecreated dateposted referenceno termname datedue origdocdate message shippingmethod shipto billto supdocid externalid "
        f"{_CURRENCY} vsoepricelist customfields state projectid updatesotransitems updatesubtotals"
    ),
    "updatesotransitems": _sequence("updatesotransitem|sotransitem*"),
    "updatesotransitem": _sequence(_SALES_LINE_TEXT.replace("!", "")),
    "subtotals": _sequence("subtotal+"),
    "subtotal": _sequence(
        f"description! total! absval percentval locationid departmentid projectid {_DIMENSIONS} classid itemid contractid customfields"
    ),
    "create_ictransaction": _sequence(
        "transactiontype! datecreated! createdfrom documentno referenceno message externalid basecurr customfields state "
        "ictransitems! subtotals"
    ),
    "ictransitems": _sequence("ictransitem+"),
    "ictransitem": _sequence(
        "itemid! itemdesc warehouseid! quantity! unit cost sourcelinekey locationid departmentid itemdetails customfields projectid "
        f"{_DIMENSIONS} classid contractid"
    ),
    **dict.fromkeys(
        (
            "datecreated",
            "dateposted",
            "datedue",
            "datereceived",
            "datereversed",
            "paymentdate",
            "reversedate",
            "exchratedate",
        ),
        _DATE,
    ),
}


def faults(function: str, names: Sequence[str]) -> list[str]:
    """Why the children `names` of element `function` break its published sequence; empty when they do not, or none is published."""
    sequence = SEQUENCES.get(function)
    if sequence is None:
        return []
    found: list[str] = []
    place = 0
    seen = 0
    filled = [0] * len(sequence)
    for name in names:
        while place < len(sequence) and name not in sequence[place].names:
            place, seen = place + 1, 0
        if place == len(sequence):
            found.append(f"{function}: '{name}' is out of place or unknown")
            break
        seen += 1
        filled[place] += 1
        if seen > sequence[place].most:
            found.append(f"{function}: '{name}' appears too often")
    if not found:
        found += [
            f"{function}: '{'|'.join(child.names)}' is missing"
            for child, count in zip(sequence, filled, strict=True)
            if child.required and not count
        ]
    return found
