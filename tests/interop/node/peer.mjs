// What the scripts here share. Each of them sends one batch with a package and prints, as JSON,
// what the package made of the answer:
//
//     node <script> <directory with node_modules> <URL of the service root> <scenario> [<variant>]
//
// In "apply" the batch is a query for 7, a change set that creates 1 and renames 7, and a query for
// all. In "fail" the change set creates 1 and then 7, who is there already. In "refer" it creates 1
// and renames whom it has created. A response is printed as {status, value}, with the body in which
// OData 2 or 4 wraps an entity or a collection taken off, and a change set as an array of these.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import vm from "node:vm";

export const [directory, root, scenario, variant] = process.argv.slice(2);
export const url = `${root}$batch`;
export const load = createRequire(`${directory}/package.json`);
export const ann = { Id: 1, Name: "Änn 😀\r\n--x" };
export const bea = { Id: 7, Name: "Bea" };

/** Posts a batch; the fields of the answer have names in lower case. */
export async function post(headers, body) {
  const answer = await fetch(url, { method: "POST", headers, body });
  const fields = Object.fromEntries(answer.headers);
  return { status: answer.status, headers: fields, body: await answer.text() };
}

/** Runs a script of a package as browsers do, with these globals. */
export function run(path, globals) {
  vm.runInNewContext(readFileSync(load.resolve(path), "utf-8"), globals, { filename: path });
}

/** Returns a response as it is printed; a body may be text. */
export function outcome(status, body) {
  const parsed = typeof body === "string" && body !== "" ? JSON.parse(body) : body;
  const unwrapped = parsed?.d ?? parsed;
  const value = unwrapped?.results ?? unwrapped?.value ?? unwrapped;
  const empty = value === undefined || value === "" || Object.keys(value).length === 0;
  return { status: Number(status), value: empty ? null : value };
}

/** Prints what was understood, or the error. */
export async function print(understood) {
  try {
    process.stdout.write(JSON.stringify(await understood()));
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: error.message ?? String(error) }));
  }
}
