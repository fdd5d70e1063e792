// @microsoft/microsoft-graph-client: batches of Microsoft Graph, whose paths begin at the service root.
// Each request depends on the one before. In "octets" the third is no JSON.

import { ann, bea, load, print, root, scenario } from "./peer.mjs";

const { BatchRequestContent, BatchResponseContent, Client } = load(
  "@microsoft/microsoft-graph-client",
);

const { origin, pathname } = new URL(root);
const client = Client.init({
  baseUrl: origin,
  defaultVersion: pathname.replaceAll("/", ""),
  authProvider: (done) => done(null, "token"),
});
const step = (id, path, method, body, type = "application/json") => {
  const init = { method, ...(body && { body, headers: { "Content-Type": type } }) };
  return { id, request: new Request(`${origin}/${path}`, init) };
};
const post = (id, value) => step(id, "People", "POST", JSON.stringify(value));
const change = {
  apply: () => step("3", "People(7)", "PATCH", JSON.stringify(bea)),
  fail: () => post("3", bea),
  octets: () => step("3", "Photo", "PUT", Buffer.from([0x89, 0x50, 0xff]), "image/png"),
}[scenario];
const content = new BatchRequestContent([
  step("1", "People(7)", "GET"),
  post("2", ann),
  change(),
  step("4", "People", "GET"),
]);
for (const id of ["2", "3", "4"]) content.addDependency(id);

print(async () => {
  const answer = await client.api("/$batch").post(await content.getContent());
  const responses = [...new BatchResponseContent(answer).getResponsesIterator()];
  return Promise.all(
    responses.map(async ([, response]) => ({ status: response.status, value: await response.text() })),
  );
});
