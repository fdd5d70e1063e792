// Looks for texts on which a pattern of the package takes more than linear time. Reads the list of
// patterns.py from standard input; the exit status is 1 if there is such a text.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const { checkSync } = createRequire(join(resolve(process.argv[2]), "package.json"))("recheck");
const patterns = JSON.parse(readFileSync(0, "utf8"));
let failed = 0;
for (const { name, source, flags } of patterns) {
  const found = checkSync(source, flags, { timeout: 20_000, randomSeed: 1 });
  if (found.status === "safe") continue;
  failed += 1;
  const why = found.error ? `${found.error.kind} ${found.error.message ?? ""}` : found.complexity.summary;
  console.log(`${name}: ${found.status}, ${why}\n  ${found.attack?.pattern ?? ""}\n  /${source}/${flags}`);
}
console.log(`${patterns.length} patterns, ${failed} of them not safe`);
process.exitCode = failed ? 1 : 0;
