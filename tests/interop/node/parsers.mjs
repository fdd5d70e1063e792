// Parses payloads with a package for multipart, or with JSON.parse, and prints what it found.
//
//     node parsers.mjs <directory with node_modules> <package> < lines of JSON
//
// A line is [payload, boundary], the payload in base64; what is printed for it is a list of parts,
// each [Content-Type, octets in base64], or null if the payload is refused. For "JSON" it is the
// value in the spelling of JSON.stringify, as one part.

import { createRequire } from "node:module";

const [directory, name] = process.argv.slice(2);
const load = createRequire(`${directory}/package.json`);

/** Parses forms with busboy or its fork; a part that is cut off is an error. */
function busboy(make) {
  return (data, boundary) =>
    new Promise((resolve, reject) => {
      const parts = [];
      const type = `multipart/form-data; boundary="${boundary}"`;
      const parser = make({ headers: { "content-type": type }, limits: { headerPairs: 100 } });
      parser.on("file", (field, file, info, encoding, mimeType) => {
        const part = [mimeType ?? info.mimeType, []];
        parts.push(part);
        file.on("data", (chunk) => part[1].push(chunk));
        file.on("error", reject);
      });
      parser.on("field", () => reject(new Error("a field")));
      parser.on("error", reject);
      parser.on("close", () => resolve(parts));
      parser.on("finish", () => resolve(parts));
      parser.end(data);
    });
}

function dicer(Dicer) {
  return (data, boundary) =>
    new Promise((resolve, reject) => {
      const parts = [];
      const parser = new Dicer({ boundary });
      parser.on("part", (part) => {
        const found = ["", []];
        parts.push(found);
        part.on("header", (fields) => (found[0] = fields["content-type"]?.[0] ?? ""));
        part.on("data", (chunk) => found[1].push(chunk));
        part.on("error", reject);
      });
      parser.on("error", reject);
      parser.on("finish", () => resolve(parts));
      parser.end(data);
    });
}

function undici({ Response }) {
  return async (data, boundary) => {
    const type = `multipart/form-data; boundary="${boundary}"`;
    const form = await new Response(data, { headers: { "content-type": type } }).formData();
    const files = form.getAll("a");
    return Promise.all(files.map(async (it) => [it.type, [Buffer.from(await it.arrayBuffer())]]));
  };
}

const PARSERS = {
  busboy: () => busboy(load("busboy")),
  "@fastify/busboy": () => busboy((config) => load("@fastify/busboy")(config)),
  dicer: () => dicer(load("dicer")),
  undici: () => undici(load("undici")),
  JSON: () => async (data) => [["", [Buffer.from(JSON.stringify(JSON.parse(data.toString())))]]],
};

const parse = PARSERS[name]();

/** Parses a payload; what never ends is a refusal, too, and so is what is thrown meanwhile. */
function parsed(data, boundary) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(reject, 300, new Error("late"));
    process.once("uncaughtException", reject);
    parse(data, boundary)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(late);
        process.removeListener("uncaughtException", reject);
      });
  });
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
for (const line of text.split("\n").filter(Boolean)) {
  const [payload, boundary] = JSON.parse(line);
  let found = null;
  try {
    found = await parsed(Buffer.from(payload, "base64"), boundary);
    found = found && found.map(([type, chunks]) => [type, Buffer.concat(chunks).toString("base64")]);
  } catch {
    found = null;
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
