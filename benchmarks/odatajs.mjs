// Prints the microseconds that ts-odatajs needs for an operation of the batch responses in a file.
// Arguments: the directory with node_modules, and a JSON file of [[content type, body], ...].

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, file] = process.argv.slice(2);
const { oData } = createRequire(`${modules}/`)("ts-odatajs");
const handler = oData.batch.batchHandler;
handler.partHandler = oData.defaultHandler;
let least = Infinity;
for (const [type, body] of JSON.parse(readFileSync(file, "utf8"))) {
  const response = { headers: { "Content-Type": type }, body };
  const start = process.cpuUsage();
  handler.read(response, { handler });
  const { user, system } = process.cpuUsage(start);
  least = Math.min(least, (user + system) / response.data.__batchResponses.length);
}
console.log(least);
