// DynamicsWebApi: OData 4 as Dataverse has it, below /api/data/v9.2/. It knows no more of a response
// than its body, and keys are GUIDs or have a name.

import { ann, bea, load, outcome, print, root, scenario } from "./peer.mjs";

const { DynamicsWebApi } = load("dynamics-web-api");

const client = new DynamicsWebApi({
  serverUrl: new URL(root).origin,
  dataApi: { path: "data", version: "9.2" },
});
const bob = { key: "Id=7", collection: "People" };
const create = (data, contentId) => client.create({ collection: "People", data, contentId });
const steps = {
  apply: () => {
    client.retrieve(bob);
    create(ann);
    client.update({ ...bob, data: bea });
    client.retrieveMultiple({ collection: "People" });
  },
  fail: () => {
    client.retrieve(bob);
    create(ann);
    create(bea);
    client.retrieveMultiple({ collection: "People" });
  },
  refer: () => {
    create(ann, "1");
    client.update({ collection: "$1", data: { Name: "Al" }, contentId: "2" });
  },
}[scenario];

// An error is a value like any other.
const understood = (value) => (value.error ? outcome(value.status, { error: value.error }) : value);

print(async () => {
  client.startBatch();
  steps();
  return (await client.executeBatch()).map(understood);
});
