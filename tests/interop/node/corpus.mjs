// Reads multipart batches with a package, and prints what it made of each.
//
//     node corpus.mjs <directory with node_modules> <package> < lines of JSON
//
// A line is [Content-Type, body in base64]; what is printed for it is a list of messages in order,
// those of change sets included, each [status or method and URL, body], or null if it is refused.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import vm from "node:vm";

const [directory, name] = process.argv.slice(2);
const load = createRequire(`${directory}/package.json`);

/** Runs a script of a package as browsers do, with these globals. */
function run(path, globals) {
  vm.runInNewContext(readFileSync(load.resolve(path), "utf-8"), globals, { filename: path });
}

function datajs({ batchHandler }) {
  const partHandler = { read: () => {} };
  const handler = Object.assign(Object.create(batchHandler), { partHandler });
  return (contentType, body) => {
    const response = { headers: { "Content-Type": contentType }, body };
    batchHandler.partHandler = partHandler;
    batchHandler.read(response, { handler });
    const one = (each) => each.response ?? each;
    const message = (each) => [String(one(each).statusCode), one(each).body ?? ""];
    const items = response.data.__batchResponses;
    return items.flatMap((it) => (it.__changeResponses ?? [it]).map(message));
  };
}

function ui5() {
  const helper = { resolveIfMatchHeader: (headers) => headers, uid: () => "1-2-3" };
  const escapeRegExp = (text) => text.replace(/[[\]{}()*+?.\\^$|]/g, "\\$&");
  const sap = { ui: { define: (_, factory) => (sap.batch = factory(helper, escapeRegExp)) } };
  run("@openui5/sap.ui.core/src/sap/ui/model/odata/v4/lib/_Batch.js", { sap });
  const message = ({ status, responseText }) => [String(status), responseText ?? ""];
  return (contentType, body) =>
    sap.batch.deserializeBatchResponse(contentType, body).flat().map(message);
}

function sdk() {
  const path = "@sap-cloud-sdk/odata-common";
  const { parseBatchResponse } = load(`${path}/dist/request-builder/batch/batch-response-parser`);
  load("@sap-cloud-sdk/util").muteLoggers();
  const text = (body) => (typeof body === "string" ? body : JSON.stringify(body));
  return (contentType, data) => {
    const headers = { "content-type": contentType };
    const found = parseBatchResponse({ status: 200, headers, data }).flat();
    return found.map(({ httpCode, body }) => [String(httpCode), text(body)]);
  };
}

function cap() {
  const parse = load("@sap/cds/libx/odata/parse/multipartToJson.js");
  const { getBoundary } = load("@sap/cds/libx/odata/utils");
  return async (contentType, body) => {
    const boundary = getBoundary({ headers: { "content-type": contentType } });
    const { requests } = await parse(body, boundary);
    const text = (value) => (value === undefined ? "" : JSON.stringify(value));
    return requests.map(({ method, url, body }) => [`${method} ${url}`, text(body)]);
  };
}

const PACKAGES = {
  "ts-odatajs": () => datajs(load("ts-odatajs").oData.batch),
  datajs: () => {
    const window = { setTimeout, JSON };
    window.window = window;
    run("@openui5/sap.ui.core/src/sap/ui/thirdparty/datajs.js", window);
    return datajs(window.OData);
  },
  "_Batch.js": ui5,
  "@sap-cloud-sdk/odata-common": sdk,
  "@sap/cds": cap,
};

const read = PACKAGES[name]();
let text = "";
for await (const chunk of process.stdin) text += chunk;
for (const line of text.split("\n").filter(Boolean)) {
  const [contentType, body] = JSON.parse(line);
  let found = null;
  try {
    found = await read(contentType, Buffer.from(body, "base64").toString());
  } catch {
    found = null;
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
