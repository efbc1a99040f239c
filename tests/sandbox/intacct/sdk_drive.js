// Drives an installed @intacct/intacct-sdk against a stand-in gateway: node drive.js SDK_FOLDER PORT
//
// The SDK is used as it comes. It insists on a host that ends in intacct.com, so such names are resolved to this machine; everything
// else of the connection is its own. What each step came to is printed as one line of JSON.
"use strict";

const dns = require("dns");
const path = require("path");
const [, , folder, port] = process.argv;

const really = dns.lookup;
dns.lookup = function (name, options, done) {
  if (!String(name).endsWith("intacct.com")) return really.apply(this, arguments);
  const call = typeof options === "function" ? options : done;
  if (typeof options === "object" && options && options.all) return call(null, [{ address: "127.0.0.1", family: 4 }]);
  return call(null, "127.0.0.1", 4);
};

const sdk = require(path.join(folder, "node_modules", "@intacct", "intacct-sdk"));
const F = sdk.Functions;
const { Query, QueryFilter, QueryOrderBy, QuerySelect } = F.Common.NewQuery;
const said = {};

function made(object, values) {
  return Object.assign(object, values);
}

function config(more) {
  return made(new sdk.ClientConfig(), {
    endpointUrl: `http://standin.intacct.com:${port}/ia/xml/xmlgw.phtml`,
    senderId: "tieout_mpp",
    senderPassword: "demo-sender-secret",
    companyId: "TIEOUTDEMO",
    userId: "sync",
    userPassword: "demo-user-secret",
    ...more,
  });
}

async function refused(promise) {
  try {
    await promise;
    return ["accepted"];
  } catch (error) {
    return error.errors && error.errors.length ? error.errors : [error.message];
  }
}

const day = (text) => new Date(`${text}T12:00:00`);

function invoice(controlId, number, amounts) {
  const lines = amounts.map((amount) =>
    made(new F.AccountsReceivable.InvoiceLineCreate(), {
      glAccountNumber: "4000", transactionAmount: amount, memo: "Mugs & <cups>", locationId: "100",
    })
  );
  return made(new F.AccountsReceivable.InvoiceCreate(controlId), {
    customerId: "SDK-1", transactionDate: day("2026-10-05"), dueDate: day("2026-11-04"), invoiceNumber: number,
    referenceNumber: "W-1", description: "Web order", action: "Submit", lines,
  });
}

async function main() {
  said.badLogin = await refused(sdk.SessionProvider.factory(config({ userPassword: "wrong" })));
  said.badSender = await refused(sdk.SessionProvider.factory(config({ senderPassword: "wrong" })));
  const session = await sdk.SessionProvider.factory(config());
  said.session = { endpoint: session.endpointUrl, company: session.companyId, entity: session.entityId, timeout: typeof session.sessionTimeout };
  const client = new sdk.OnlineClient(session);
  const once = () => made(new sdk.RequestConfig(), { uniqueId: true });

  const customer = made(new F.AccountsReceivable.CustomerCreate("cust:1"), {
    customerId: "SDK-1", customerName: "Ünal & Söhne", primaryEmailAddress: "a@example.test", active: true,
    addressLine1: "1 Main St", city: "Springfield", zipPostalCode: "12345", isoCountryCode: "US",
  });
  const made1 = await client.execute(customer);
  said.customer = made1.getResult().data[0];
  said.customerAgain = await refused(client.execute(made(new F.AccountsReceivable.CustomerCreate("cust:2"), { customerId: "SDK-1", customerName: "Other" })));
  await client.execute(made(new F.AccountsReceivable.CustomerUpdate("cust:3"), { customerId: "SDK-1", customerName: "Unal Sons" }));

  const first = (await client.execute(invoice("inv:1", "SDK-100", [59.9, 6.5]), once())).getResult();
  said.invoice = first.key;
  said.replay = await refused(client.execute(invoice("inv:1", "SDK-100", [59.9, 6.5]), once()));
  said.duplicate = await refused(client.execute(invoice("inv:2", "SDK-100", [1])));

  const batch = [];
  for (let n = 1; n <= 23; n++) batch.push(invoice(`inv:b${n}`, `SDK-B${n}`, [10 + n / 100]));
  const answers = (await client.executeBatch(batch, once())).results;
  said.batch = { results: answers.length, statuses: [...new Set(answers.map((one) => one.status))], keys: new Set(answers.map((one) => one.key)).size };

  const both = [invoice("inv:t1", "SDK-T1", [5]), invoice("inv:t2", "SDK-100", [5])];
  said.together = await refused(client.executeBatch(both, made(new sdk.RequestConfig(), { transaction: true, uniqueId: true })));

  const pages = [];
  for (let offset = 0, left = 1; left > 0; offset += 10) {
    const query = new Query("q")
      .assignFromObject("ARINVOICE")
      .assignSelectFields(new QuerySelect.SelectBuilder().addFields(["RECORDNO", "RECORDID", "TRX_TOTALENTERED", "STATE"]).selects)
      .assignFilter(new QueryFilter.Filter("CUSTOMERID").equalTo("SDK-1"))
      .assignOrderBy(new QueryOrderBy.OrderBuilder().addAscending("RECORDNO").orders)
      .assignShowPrivate(true).assignPageSize(10).assignOffset(offset);
    const page = (await client.execute(query)).getResult();
    pages.push({ count: page.count, left: page.numRemaining, total: page.totalCount, ids: [].concat(page.data).map((row) => row.RECORDID) });
    left = page.numRemaining;
  }
  said.pages = pages;
  const counted = new Query("qc").assignFromObject("ARINVOICE").assignShowPrivate(true)
    .assignSelectFields(new QuerySelect.SelectBuilder().addCount("RECORDNO").selects)
    .assignFilter(new QueryFilter.AndOperator([new QueryFilter.Filter("CUSTOMERID").equalTo("SDK-1"), new QueryFilter.Filter("STATE").in(["Posted", "Paid"])]));
  said.count = (await client.execute(counted)).getResult().data[0];

  const more = made(new F.Common.ReadByQuery("rq"), { objectName: "ARINVOICE", fields: ["RECORDNO", "RECORDID"], pageSize: 20,
    query: new F.Common.Query.QueryString("CUSTOMERID = 'SDK-1'") });
  const part = (await client.execute(more)).getResult();
  const rest = (await client.execute(made(new F.Common.ReadMore("rm"), { resultId: part.resultId }))).getResult();
  said.readMore = { first: part.count, left: part.numRemaining, rest: rest.count, end: rest.numRemaining, row: Object.keys([].concat(part.data)[0]).sort() };

  const item = (key, amount) => made(new F.AccountsReceivable.ArPaymentItem(), { applyToRecordId: key, amountToApply: amount });
  const payment = (controlId, amount, items) => made(new F.AccountsReceivable.ArPaymentCreate(controlId), {
    customerId: "SDK-1", transactionPaymentAmount: amount, bankAccountId: "CLR-CARD-US", referenceNumber: "ch_1",
    receivedDate: day("2026-10-06"), paymentMethod: "Credit Card", applyToTransactions: items,
  });
  said.payment = (await client.execute(payment("pay:1", 40, [item(first.key, 40)]), once())).getResult().key;
  said.tooMuch = await refused(client.execute(payment("pay:2", 400, [item(first.key, 400)])));
  const advance = (await client.execute(payment("pay:3", 15, []))).getResult().key;
  await client.execute(made(new F.AccountsReceivable.ArPaymentApply("pay:4"), { recordNo: advance, receivedDate: day("2026-10-07"), applyToTransactions: [item(first.key, 15)] }));

  const credit = (await client.execute(made(new F.AccountsReceivable.ArAdjustmentCreate("cm:1"), {
    customerId: "SDK-1", transactionDate: day("2026-10-08"), adjustmentNumber: "SDK-CM1", invoiceNumber: "SDK-100",
    lines: [made(new F.AccountsReceivable.ArAdjustmentLineCreate(), { glAccountNumber: "4900", transactionAmount: -5, locationId: "100" })],
  }))).getResult().key;
  said.credit = credit;
  const read = (await client.execute(made(new F.Common.Read("r"), { objectName: "ARINVOICE", keys: [first.key] }))).getResult().data[0];
  said.read = { paid: read.TRX_TOTALPAID, due: read.TRX_TOTALDUE, state: read.STATE, lines: read.ARINVOICEITEMS.arinvoiceitem.length };
  said.byName = (await client.execute(made(new F.Common.ReadByName("rn"), { objectName: "CUSTOMER", names: ["SDK-1"], fields: ["CUSTOMERID", "NAME"] }))).getResult().data[0].NAME;
  said.reversed = (await client.execute(made(new F.AccountsReceivable.ArPaymentReverse("rev:1"), { recordNo: said.payment, reverseDate: day("2026-10-09"), memo: "bounced" }))).getResult().status;

  const entry = (amount) => made(new F.GeneralLedger.JournalEntryLineCreate(), { glAccountNumber: amount > 0 ? "1201" : "4900", transactionAmount: amount, locationId: "100", memo: "fee" });
  const journal = (controlId, lines) => made(new F.GeneralLedger.JournalEntryCreate(controlId), { journalSymbol: "GJ", postingDate: day("2026-10-09"), description: "Fees", lines });
  said.journal = (await client.execute(journal("gl:1", [entry(7), entry(-7)]))).getResult().data[0];
  said.unbalanced = await refused(client.execute(journal("gl:2", [entry(7), entry(-6)])));

  await client.execute(made(new F.InventoryControl.ItemCreate("it:1"), { itemId: "SDK-MUG", itemName: "Mug", itemType: "Non-Inventory", active: true }));
  const orderLine = (more) => made(new F.OrderEntry.OrderEntryTransactionLineCreate(), { itemId: "SDK-MUG", quantity: 3, price: 4.5, locationId: "100", ...more });
  const order = (controlId, values) => made(new F.OrderEntry.OrderEntryTransactionCreate(controlId), {
    customerId: "SDK-1", transactionDate: day("2026-10-09"), dueDate: day("2026-10-30"), ...values,
  });
  said.order = (await client.execute(order("so:1", { transactionDefinition: "Sales Order", lines: [orderLine()] }))).getResult().key;
  said.salesInvoice = (await client.execute(order("so:2", { transactionDefinition: "Sales Invoice", lines: [orderLine()] }))).getResult().key;
  await client.execute(made(new F.OrderEntry.OrderEntryTransactionUpdate("so:3"), { transactionId: said.salesInvoice, message: "thanks" }));

  said.lookup = (await client.execute(made(new F.Common.Lookup("lu"), { objectName: "ARINVOICE" }))).getResult().status;
  said.inspect = (await client.execute(made(new F.Common.Inspect("is"), { objectName: "ARINVOICE" }))).getResult().status;
  said.deleted = (await client.execute(made(new F.AccountsReceivable.InvoiceDelete("del:1"), { recordNo: answers[22].key }))).getResult().status;
  const entity = await sdk.SessionProvider.factory(config({ entityId: "E100" }));
  said.entity = entity.entityId;
  const stale = config({ sessionId: "no-such-session", userId: undefined, userPassword: undefined, companyId: undefined });
  said.stale = await refused(sdk.SessionProvider.factory(stale));
  said.syntax = await refused(client.execute(made(invoice("bad:1", "SDK-BAD", [1]), { onHold: true })));
}

main().then(
  () => console.log(JSON.stringify(said)),
  (error) => {
    console.log(JSON.stringify(said));
    console.error(error.stack, error.errors || "");
    process.exit(1);
  }
);
