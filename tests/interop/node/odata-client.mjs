// @odata/client: OData 2 or 4 in multipart, or 4 in JSON, as the variant says. In multipart each
// change is in a change set of its own.

import { ann, bea, load, outcome, print, root, scenario, variant } from "./peer.mjs";

const { OData } = load("@odata/client");

const [version, format] = variant.split(" ");
const client = OData.New({ serviceEndpoint: root, version });
const isJson = format === "json";
const group = isJson ? { atomicityGroup: "g", dependsOn: ["a"] } : {};
const request = (options) => client.newBatchRequest({ collection: "People", ...options });
const create = (entity, requestId) => request({ method: "POST", entity, requestId, ...group });
const change = () => request({ method: "PATCH", id: 7, entity: bea, requestId: "c", ...group });
const requests = [
  request({ id: 7, requestId: "a" }),
  create(ann, "b"),
  scenario === "fail" ? create(bea, "c") : change(),
  request({ requestId: "d", ...(isJson ? { dependsOn: ["g"] } : {}) }),
];

// In multipart a body ends with the line end before the delimiter, also where there is none.
const understood = async ({ status, text }) => outcome(status, (await text())?.trim());

print(async () => {
  const send = isJson ? client.execBatchRequestsJson : client.execBatchRequests;
  return Promise.all((await send.call(client, requests)).map(understood));
});
