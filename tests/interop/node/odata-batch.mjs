// odata-batch: change sets of OData 2 alone. It knows no queries outside of them, and no MERGE.

import { ann, bea, load, outcome, print, scenario, url } from "./peer.mjs";

const { ODataBatch } = load("odata-batch");

const headers = { Accept: "application/json", "Content-Type": "application/json" };
const create = { method: "POST", url: "People", headers, data: ann };
const calls = {
  create: [create],
  apply: [[create], [{ method: "PUT", url: "People(7)", headers, data: bea }]],
  fail: [[create], [{ method: "POST", url: "People", headers, data: bea }]],
}[scenario];

print(async () => {
  const responses = await new ODataBatch({ url, auth: "user:password", calls }).send();
  return responses.map(({ code, data }) => outcome(code, data));
});
