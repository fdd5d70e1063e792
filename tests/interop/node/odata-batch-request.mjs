// odata-batch-request: OData 4.

import { ann, bea, load, outcome, post, print, root, scenario } from "./peer.mjs";

const { ODataBatchChangeset, ODataBatchOperation, ODataBatchRequest } = load("odata-batch-request");

const headers = { Accept: "application/json" };
const writing = (value) => ({
  headers: { ...headers, "Content-Type": "application/json" },
  body: JSON.stringify(value),
});
const create = new ODataBatchOperation("post", "People", writing(ann));
const changes = {
  apply: [create, new ODataBatchOperation("patch", "People(7)", writing(bea))],
  fail: [create, new ODataBatchOperation("post", "People", writing(bea))],
}[scenario];
const batch = new ODataBatchRequest(root, [
  new ODataBatchOperation("get", "People(7)", { headers }),
  new ODataBatchChangeset(changes),
  new ODataBatchOperation("get", "People", { headers }),
]);

const understood = (response) =>
  Array.isArray(response) ? response.map(understood) : outcome(response.status, response.body);

print(async () => {
  const answer = await post(batch.headers, batch.body);
  const { operations } = batch.parseResponse(answer.body, answer.headers["content-type"]);
  return operations.map(understood);
});
