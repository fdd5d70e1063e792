// @proofkit/fmodata: OData 4 as FileMaker has it, below /fmi/odata/v4/<database>/. A URL in a batch has
// no extension of the database, and the client speaks HTTPS alone: `fetchHandler` makes it HTTP.

import { ann, bea, directory, print, root, scenario } from "./peer.mjs";
import { pathToFileURL } from "node:url";

const path = `${directory}/node_modules/@proofkit/fmodata/dist/esm/index.js`;
const fm = await import(pathToFileURL(path).href);

const { hostname, port, pathname } = new URL(root);
const connection = new fm.FMServerConnection({
  serverUrl: `https://${hostname}:${port}`,
  auth: { username: "user", password: "password" },
  fetchClientOptions: {
    fetchHandler: async (input, init) => {
      const request = new Request(input, init);
      const body = await request.text();
      const { method, headers } = request;
      return fetch(request.url.replace("https:", "http:"), { method, headers, body });
    },
  },
});
const database = connection.database(pathname.split("/")[4]);
const people = database.from(
  fm.fmTableOccurrence("People", { Id: fm.numberField().primaryKey(), Name: fm.textField() }),
);
const steps = {
  apply: () => [people.get(7), people.insert(ann), people.update(bea).byId(7), people.list()],
  fail: () => [people.get(7), people.insert(bea), people.list()],
}[scenario];

const understood = ({ status, data, error }) => ({
  status,
  value: data ?? error.details ?? error.name,
});

print(async () => (await database.batch(steps()).execute()).results.map(understood));
