// Run an implementation over the corpus: node run.mjs COMMAND [ARGUMENT...]
//
// It asks what run.py asks, which says how the command answers.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const read = (file) => readFileSync(new URL(file, import.meta.url));

function octets(row) {
  if (row.file) return read(row.file);
  const texts = row.generator.flatMap(({ text, count = 1 }) =>
    Array.from({ length: count }, (_, number) => text.replaceAll("{n}", String(number))),
  );
  return Buffer.from(texts.join(""), "utf8");
}

function message(row) {
  const data = octets(row);
  const end = data.indexOf("\r\n\r\n");
  const lines = data.toString("latin1", 0, end).split("\r\n").slice(1);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
  });
  const isType = ([name]) => name.toLowerCase() === "content-type";
  return {
    slug: row.slug,
    kind: row.kind,
    format: row.format,
    limits: row.limits,
    dialect: row.dialect,
    dialect_fields: row.dialect_fields,
    url: row.url,
    content_type: row.content_type ?? headers.find(isType)[1],
    headers: row.content_type === undefined ? headers : headers.filter((pair) => !isType(pair)),
    body: data.toString("base64", end + 4),
  };
}

// The questions about a case, each with the answer that is expected.
function questions(row, bySlug) {
  const { value, error, strict_error, diagnostics, omitted = 0 } = row.expectation;
  const request = row.request && message(bySlug.get(row.request));
  const asked = { ...message(row), request };
  const found = diagnostics.map(({ rule, position }) => ({ rule, position }));
  return [
    [{ do: "decode", strict: false, ...asked }, error ? { error } : { value }],
    [{ do: "decode", strict: true, ...asked }, strict_error ? { error: strict_error } : { value }],
    [{ do: "check", ...asked }, { diagnostics: found, omitted }],
  ];
}

function agrees(answer, expected) {
  if (answer.error && expected.error && answer.error.rule === undefined) return true;
  return isDeepStrictEqual(answer, expected);
}

const { cases } = JSON.parse(read("manifest.json"));
const bySlug = new Map(cases.map((row) => [row.slug, row]));
const asked = cases.flatMap((row) => questions(row, bySlug));
const [command, ...parameters] = process.argv.slice(2);
const done = spawnSync(command, parameters, {
  input: asked.map(([question]) => JSON.stringify(question) + "\n").join(""),
  maxBuffer: 1 << 30,
  stdio: ["pipe", "pipe", "inherit"],
});
const answers = done.status === 0 ? String(done.stdout).trimEnd().split("\n").map(JSON.parse) : [];
if (answers.length !== asked.length) {
  throw new Error(`${asked.length} questions, ${answers.length} answers, status ${done.status}`);
}

let wrong = 0;
let left = 0;
asked.forEach(([question, expected], index) => {
  const answer = answers[index];
  if (Object.keys(answer).length === 0) {
    left += 1;
  } else if (!agrees(answer, expected)) {
    wrong += 1;
    const how = question.do + (question.strict ? ", strict" : "");
    const [wanted, found] = [expected, answer].map((each) => JSON.stringify(each));
    console.log(`${question.slug} (${how}): expected ${wanted}, found ${found}`);
  }
});
console.log(`${asked.length - left - wrong} as expected, ${wrong} not, ${left} without an answer`);
process.exitCode = wrong ? 1 : 0;
