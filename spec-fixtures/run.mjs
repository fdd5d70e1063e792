// Run an implementation over the corpus: node run.mjs [--only WORD]... COMMAND [ARGUMENT]...
//
// It asks what run.py asks, which says how the command answers and what WORD is.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const read = (file) => readFileSync(new URL(file, import.meta.url));

function message(row) {
  const texts = (row.generator ?? []).flatMap(({ text, count = 1 }) =>
    Array.from({ length: count }, (_, number) => text.replaceAll("{n}", String(number))),
  );
  const data = row.file ? read(row.file) : Buffer.from(texts.join(""), "utf8");
  const end = data.indexOf("\r\n\r\n");
  const lines = data.toString("latin1", 0, end).split("\r\n").slice(1);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
  });
  const isType = ([name]) => name.toLowerCase() === "content-type";
  const names = ["slug", "kind", "format", "limits", "dialect", "dialect_fields", "url"];
  return {
    ...Object.fromEntries(names.map((name) => [name, row[name]])),
    content_type: row.content_type ?? headers.find(isType)[1],
    headers: row.content_type === undefined ? headers : headers.filter((pair) => !isType(pair)),
    body: data.toString("base64", end + 4),
  };
}

// The questions about a case, each with its words and what is expected.
function questions(row, bySlug) {
  const { value, diagnostics, omitted = 0, ...verdicts } = row.expectation;
  const asked = { ...message(row), request: row.request && message(bySlug.get(row.request)) };
  const words = [row.kind, row.format, row.dialect ?? "4.01", ...row.tags];
  const decode = ["default", "strict"].map((mode) => {
    const severe = mode === "strict" ? ["error", "warning"] : ["error"];
    const errors = diagnostics.filter(({ severity }) => severe.includes(severity));
    const expected = verdicts[mode] === "reject" ? { errors } : { value };
    return [{ do: "decode", strict: mode === "strict", ...asked }, [...words, "decode"], expected];
  });
  return [...decode, [{ do: "check", ...asked }, [...words, "check"], { diagnostics, omitted }]];
}

// A value with digests in place of bodies, and without members that are empty.
function plain(value) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (["text", "base64"].includes(Object.keys(value).join())) {
    const octets = Buffer.from(value.text ?? value.base64, "text" in value ? "utf8" : "base64");
    return { length: octets.length, sha256: createHash("sha256").update(octets).digest("hex") };
  }
  const isFull = ([, each]) => each !== null && !(Array.isArray(each) && each.length === 0);
  const full = Object.entries(value).filter(isFull);
  return Object.fromEntries(full.map(([name, each]) => [name, plain(each)]));
}

function agrees(answer, { errors, diagnostics, ...expected }) {
  const told = (rows) => ["rule", "position"].filter((name) => rows.every((row) => name in row));
  const listed = (rows, names) => rows.map((row) => names.map((name) => row[name]).join()).sort();
  const same = (...both) => isDeepStrictEqual(...both.map((rows) => listed(rows, told(both[0]))));
  const { diagnostics: found, omitted = 0 } = answer;
  if (diagnostics) return found && same(found, diagnostics) && omitted === expected.omitted;
  if (answer.verdict) return answer.verdict === (errors ? "reject" : "accept");
  if (errors && answer.error) return errors.some((error) => same([answer.error], [error]));
  return isDeepStrictEqual(plain(answer), plain(expected));
}

const exit = (message) => (console.error(message), process.exit(1));
const [command, only] = [process.argv.slice(2), []];
while (command[0] === "--only") only.push(command.splice(0, 2)[1]);
if (!/^[^-]/.test(command[0] ?? "-")) exit("node run.mjs [--only WORD]... COMMAND [ARGUMENT]...");
const { cases } = JSON.parse(read("manifest.json"));
const bySlug = new Map(cases.map((row) => [row.slug, row]));
const fits = ([{ slug }, words]) => only.every((w) => words.includes(w) || slug.startsWith(w));
const asked = cases.flatMap((row) => questions(row, bySlug)).filter(fits);
const input = asked.map(([question]) => JSON.stringify(question) + "\n").join("");
const how = { input, stdio: ["pipe", "pipe", "inherit"], maxBuffer: 1 << 30 };
const done = spawnSync(command[0], command.slice(1), how);
if (done.status === null) exit(`${command[0]} cannot be asked: ${done.error.message}`);
const answers = String(done.stdout).split("\n").filter(Boolean).map((line) => JSON.parse(line));
if (done.status !== 0 || answers.length !== asked.length)
  exit(`${asked.length} questions, ${answers.length} answers, status ${done.status}`);

const totals = { "": { right: 0, wrong: 0, left: 0 } };
asked.forEach(([{ slug, kind, format, do: what, strict }, , expected], index) => {
  const answer = answers[index];
  const done = agrees(answer, expected) ? "right" : "wrong";
  const how = Object.keys(answer).length ? done : "left";
  const own = (totals[`${kind} ${format}: `] ??= { right: 0, wrong: 0, left: 0 });
  for (const each of [totals[""], own]) each[how] += 1;
  const told = [expected, answer].map((each) => JSON.stringify(each)).join(", found ");
  if (how === "wrong") console.log(`${slug} (${what}${strict ? ", strict" : ""}): expected ${told}`);
});
for (const [group, { right, wrong, left }] of Object.entries(totals).sort().reverse())
  console.log(`${group}${right} as expected, ${wrong} not, ${left} without an answer`);
process.exitCode = totals[""].right && !totals[""].wrong ? 0 : 1;
