// The module of OpenUI5 that writes and reads batches of OData 4, without the rest.

import { ann, bea, outcome, post, print, run, scenario } from "./peer.mjs";

// The two modules that it depends on, as far as it does.
const helper = { resolveIfMatchHeader: (headers) => headers, uid: () => "1-2-3" };
const escapeRegExp = (text) => text.replace(/[[\]{}()*+?.\\^$|]/g, "\\$&");

const sap = { ui: { define: (_, factory) => (sap.batch = factory(helper, escapeRegExp)) } };
run("@openui5/sap.ui.core/src/sap/ui/model/odata/v4/lib/_Batch.js", { sap });

const headers = { Accept: "application/json;odata.metadata=minimal;IEEE754Compatible=true" };
const type = "application/json;charset=UTF-8;IEEE754Compatible=true";
const writing = { ...headers, "Content-Type": type };
const create = { method: "POST", url: "People", headers: writing, body: ann };
const changes = {
  apply: [create, { method: "PATCH", url: "People(7)", headers: writing, body: bea }],
  fail: [create, { method: "POST", url: "People", headers: writing, body: bea }],
  refer: [create, { method: "PATCH", url: "$0", headers: writing, body: { Name: "Al" } }],
}[scenario];
const requests = [
  { method: "GET", url: "People(7)", headers },
  changes,
  { method: "GET", url: "People", headers },
];

const understood = (response) =>
  Array.isArray(response)
    ? response.map(understood)
    : outcome(response.status, response.responseText);

print(async () => {
  const batch = sap.batch.serializeBatchRequest(requests, "Group ID: $auto");
  const answer = await post({ ...batch.headers, Accept: "multipart/mixed" }, batch.body);
  const contentType = answer.headers["content-type"];
  return sap.batch.deserializeBatchResponse(contentType, answer.body).map(understood);
});
