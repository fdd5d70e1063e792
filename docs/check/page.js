// The page: asks the worker what is in the messages, and shows what it answers.
//
// Whatever comes from a message is inserted as text; the Content-Security-Policy (Trusted Types)
// refuses to make markup of any string.

const $ = (id) => document.getElementById(id);

// An element with attributes and children; strings become text.
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...keep(children));
  return made;
}

const keep = (list) => list.filter((each) => each != null && each !== false && each !== "");

// A text in which Python has put pictures of control characters: these become small words, but CRLF,
// in which a line should end, an arrow.
const controls = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US SP DEL".split(" ");
function written(text) {
  return keep(text.split(/(\u240d\u240a|[\u2400-\u2421])/)).map((each) => {
    if (each === "\u240d\u240a") return make("span", { class: "end", title: "CRLF" }, "↵");
    const name = controls[each.charCodeAt(0) - 0x2400];
    return name ? make("span", { class: "control" }, name) : each;
  });
}

const counted = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// -- the worker ----------------------------------------------------------------------------------

const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: (url) => url });
let worker;
let waiting = new Map();
let lastId = 0;

function startWorker() {
  // A worker from a blob is under the policy of this page; one from a file would have none.
  const source = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  worker = new Worker(policy ? policy.createScriptURL(url) : url, { type: "module" });
  worker.onmessage = ({ data }) => {
    if ("loaded" in data) return showLoaded(data.loaded);
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.isFatal) restart("It nests too deeply, or is too large, for Python in a browser; the command line can check it.");
    if ("error" in data) reject(new Error(data.error));
    else resolve(data.answer);
  };
  worker.onerror = (event) => say(`Python could not be loaded: ${event.message ?? "see the console"}`);
  $("progress").hidden = false;
  return ask("about");
}

function ask(what, ...given) {
  const id = ++lastId;
  worker.postMessage({ id, ask: what, given });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function showLoaded(part) {
  $("progress").value = part;
}

function say(text) {
  $("status").textContent = text;
}

async function load(reason = "") {
  say(`${reason} Loading Python, once …`.trim());
  const { version, dialects } = await startWorker();
  $("progress").hidden = true;
  $("version").textContent = version;
  const names = Object.entries(dialects).map(([value, name]) => make("option", { value }, name));
  if ($("dialect").length === 1) $("dialect").append(...names);
  if (!isRunning) say(`${reason} Ready.`.trim());
}

// -- what is to be checked -----------------------------------------------------------------------

let dropped = [];

function inputs() {
  const found = dropped.map((file) => ({ name: file.name, content: file }));
  for (const [id, name] of [["message", "message.http"], ["answer", "answer.http"]]) {
    const text = $(id).value;
    if (text.trim()) found.push({ name, content: new Blob([withLineEnds(text)]) });
  }
  return found;
}

// A text field has LF only. JSON does not care; everything else is sent with CRLF. What a forge or a
// ticket puts around a text to keep it as it is, is no part of it.
function withLineEnds(text) {
  const own = text.replace(/^\s*```[^\n]*\n([^]*?)\n```\s*$/, "$1");
  const isJson = /^\s*[[{"]/.test(own);
  return isJson || $("ends").value === "lf" ? own : own.replace(/\r?\n/g, "\r\n");
}

function addFiles(files) {
  dropped.push(...files);
  showChosen();
  check();
}

function showChosen() {
  const remove = (file) => {
    dropped = dropped.filter((each) => each !== file);
    showChosen();
    $("files").focus();
    check();
  };
  const rows = dropped.map((file) =>
    make("li", {}, `${file.name} (${counted(file.size, "octet")}) `,
      make("button", { type: "button", onclick: () => remove(file) }, "Remove",
        make("span", { class: "hidden" }, ` ${file.name}`))));
  $("chosen").replaceChildren(...rows);
  $("chosen").hidden = rows.length === 0;
}

// -- checking ------------------------------------------------------------------------------------

let isRunning = false;
let isWanted = false;
let round = 0;

// One check at a time; what has changed meanwhile is checked after it.
async function check() {
  isWanted = true;
  if (isRunning) return;
  isRunning = true;
  $("cancel").hidden = false;
  while (isWanted) {
    isWanted = false;
    await checkOnce();
  }
  isRunning = false;
  $("cancel").hidden = true;
}

async function checkOnce() {
  const given = inputs();
  round++;
  if (given.length === 0) {
    $("results").hidden = true;
    say("Nothing to check.");
    return;
  }
  const begun = performance.now();
  say("Checking …");
  $("results").setAttribute("aria-busy", "true");
  try {
    const options = [$("dialect").value, $("url").value.trim(), $("secrets").checked];
    const result = await ask("check", given, ...options);
    const first = result.exchanges.length > 0 ? await ask("show", worstOf(result.exchanges)) : null;
    const took = Math.round(performance.now() - begun);
    showResult(result, first, took);
  } catch (error) {
    $("results").hidden = true;
    say(error.message);
  }
  $("results").removeAttribute("aria-busy");
}

// Ends what runs, for a reason, and loads Python again.
function restart(reason) {
  worker.terminate();
  const left = waiting;
  waiting = new Map();
  isWanted = false;
  for (const { reject } of left.values()) reject(new Error(reason));
  load(reason).catch((error) => say(error.message));
}

function worstOf(exchanges) {
  const weight = (each) => each.error * 1e6 + each.warning * 1e3 + each.note;
  return exchanges.reduce((best, each, at) => (weight(each) > weight(exchanges[best]) ? at : best), 0);
}

// -- the result ----------------------------------------------------------------------------------

function showResult(result, first, took) {
  const { totals, dialect, exchanges } = result;
  const found = ["error", "warning", "note"].map((each) => counted(totals[`${each}s`], each));
  const told = `${found.join(", ")} in ${counted(totals.batches, "message")}`;
  say(`${told} (${took} ms).`);
  const guessed = dialect.guessed ? `, guessed from ${dialect.guessed}` : "";
  const more = [
    totals.others && `${counted(totals.others, "message")} without a batch`,
    totals.omitted && `${counted(totals.omitted, "finding")} not listed`,
    totals.explained && `${counted(totals.explained, "finding")} explained by octets that the capture has lost`,
  ].filter(Boolean);
  $("totals").replaceChildren(...keep([
    make("strong", {}, `${told}.`), ` Read as ${dialect.name}${guessed}.`,
    more.length > 0 && ` ${more.join("; ")}.`,
    ...Object.entries(result.problems).map(([file, why]) => make("span", { class: "problem" }, `${file}: ${why}`))]));
  const chosen = worstOf(exchanges);
  $("exchanges").hidden = exchanges.length < 2;
  $("exchanges").replaceChildren(...(exchanges.length < 2 ? [] : listOf(exchanges, chosen)));
  if (first) showExchange(first, chosen);
  else $("exchange").replaceChildren(make("p", {}, "There is no batch in it."));
  $("results").hidden = false;
}

function listOf(exchanges, chosen) {
  const rows = exchanges.map((each, index) =>
    make("li", { "data-clean": each.error + each.warning + each.note === 0 },
      make("button", { type: "button", "aria-current": index === chosen ? "true" : false,
        onclick: (event) => choose(event.currentTarget, index) },
        make("span", { class: "counts" }, ...countsOf(each)),
        make("span", { class: "name" }, `${each.file} ${each.name}`.trim()),
        make("span", { class: "title" }, each.title))));
  const only = make("input", { type: "checkbox", onchange: (event) =>
    $("exchanges").classList.toggle("only-found", event.currentTarget.checked) });
  $("exchanges").classList.remove("only-found");
  return [make("h2", {}, counted(exchanges.length, "batch").replace("batchs", "batches")),
    make("label", { class: "check" }, only, " only with findings"), make("ul", {}, ...rows)];
}

function countsOf(counts) {
  const found = ["error", "warning", "note"].filter((each) => counts[each] > 0);
  return found.length === 0
    ? [make("span", { class: "badge clean" }, "nothing found")]
    : found.map((each) => make("span", { class: `badge ${each}` }, counted(counts[each], each)));
}

async function choose(button, index) {
  const own = round;
  for (const each of $("exchanges").querySelectorAll("[aria-current]")) each.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  try {
    const shown = await ask("show", index);
    if (own === round) showExchange(shown, index);
  } catch (error) {
    say(error.message);
  }
}

// -- an exchange ---------------------------------------------------------------------------------

function showExchange({ findings, messages, outcomes }, index) {
  const parts = [];
  if (findings.length > 0) parts.push(make("ol", { class: "findings" }, ...findings.map((each) => findingOf(each))));
  if (outcomes.length > 0) parts.push(outcomesOf(outcomes));
  messages.forEach((message, side) => parts.push(messageOf(message, side, index)));
  $("exchange").replaceChildren(...parts);
}

function messageOf(message, side, index) {
  const name = message.kind === "request" ? "Request" : "Response";
  const id = `message-${side}`;
  const found = message.findings.map((each, number) => findingOf(each, `${id}-mark-${number}`, `${id}-line-${each.place?.line}`));
  const what = [message.start, message.type].filter(Boolean).join(" · ");
  return make("section", { class: "message", "aria-labelledby": id },
    make("h2", { id }, name, " ", make("span", { class: "hint" }, message.source)),
    make("p", { class: "start" }, what || "no start line"),
    headersOf(message.headers),
    make("div", { class: "columns" },
      make("div", {},
        make("h3", {}, counted(found.length, "finding")),
        found.length > 0
          ? make("ol", { class: "findings" }, ...found)
          : make("p", { class: "clean" }, message.instead ? `This is no batch: ${message.instead}.` : "Nothing is wrong with it.")),
      make("div", {},
        make("h3", {}, "Payload ", make("span", { class: "hint" }, counted(message.octets, "octet"))),
        payloadOf(message, id, `Payload of the ${message.kind}`))),
    message.tree && treeOf(message, id),
    message.tree && otherFormat(message, side, index));
}

function headersOf(headers) {
  return headers.length > 0 && make("details", { class: "headers" },
    make("summary", {}, counted(headers.length, "header")), make("pre", {}, headers.join("\n")));
}

function findingOf(each, mark, line) {
  const text = [`${each.severity}[${each.rule}]: ${each.message}`, `  --> ${each.where}`,
    each.excerpt && `  | ${each.excerpt.join("")}`, `  = ${each.sentence} (${each.citation})`,
    `  = To fix: ${each.remedy}`].filter(Boolean).join("\n");
  const excerpt = each.excerpt && make("pre", { class: "excerpt" },
    ...written(each.excerpt[0]),
    make("mark", { class: each.severity }, ...(each.excerpt[1] ? written(each.excerpt[1]) : ["(end)"])),
    ...written(each.excerpt[2]));
  return make("li", { class: `finding ${each.severity}`, id: mark && `${mark}-finding`, tabindex: "-1" },
    make("p", { class: "head" },
      make("span", { class: `badge ${each.severity}` }, each.severity), " ",
      make("code", {}, each.rule)),
    make("p", { class: "told" }, each.message),
    excerpt,
    make("p", {}, make("strong", {}, "To fix: "), each.remedy),
    make("p", { class: "why" }, `${each.sentence} (${each.citation})`, each.fatal && " Nothing after this point was read."),
    make("p", { class: "where" },
      each.where && make("span", {}, each.where),
      each.place && mark && make("button", { type: "button", onclick: () => goTo(mark, line) }, "Show",
        make("span", { class: "hidden" }, ` ${each.rule} in the payload`)),
      make("button", { type: "button", onclick: (event) => copy(text, event.currentTarget) }, "Copy",
        make("span", { class: "hidden" }, ` ${each.rule}`))));
}

// Goes to the first of these that is shown: octets that two findings are about are marked for one.
function goTo(...ids) {
  const target = ids.map($).find(Boolean);
  if (!target) return say("It is in a part of the message that is not shown.");
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center", inline: "nearest" });
}

function payloadOf({ payload, findings }, id, label) {
  const marked = new Set();
  const lines = payload.map((line) => {
    if (typeof line === "number") return make("div", { class: "gap" }, `… ${counted(line, "octet")} not shown …`);
    const [number, pieces] = line;
    const shown = pieces.map(([text, finding], at) => {
      if (finding < 0) return text && at === pieces.length - 1 ? make("span", { class: "end" }, ...written(text)) : written(text);
      const own = `${id}-mark-${finding}`;
      const attributes = { class: findings[finding].severity, title: findings[finding].rule };
      if (!marked.has(own)) Object.assign(attributes, { id: own, tabindex: "-1" });
      marked.add(own);
      return [make("mark", attributes, ...written(text))];
    });
    const first = !marked.has(`${id}-line-${number}`);
    marked.add(`${id}-line-${number}`);
    return make("div", { class: "line", "data-line": number, id: first && `${id}-line-${number}`, tabindex: "-1" }, ...shown.flat(), "\n");
  });
  return make("pre", { class: "payload", tabindex: "0", role: "region", "aria-label": label }, ...lines);
}

// -- the tree ------------------------------------------------------------------------------------

function treeOf({ tree, findings }, id) {
  const node = (each) => {
    const own = each.findings.map((at) => make("button", { type: "button", class: `badge ${findings[at].severity}`,
      onclick: () => goTo(`${id}-mark-${at}-finding`) }, findings[at].rule));
    const more = make("span", { class: "more" }, each.more.join(" · "));
    return make("li", { class: each.kind },
      make("span", { class: "path" }, each.path), " ", make("span", { class: "title" }, each.title), " ", more, " ",
      each.line != null && make("button", { type: "button", class: "line-link", onclick: () => goTo(`${id}-line-${each.line}`) }, `line ${each.line}`),
      " ", ...own, headersOf(each.headers ?? []),
      each.items.length > 0 && make("ul", {}, ...each.items.map(node)));
  };
  return make("details", { open: true, class: "tree" },
    make("summary", {}, make("h3", {}, "What was read")),
    make("p", { class: "hint" }, tree.told.join(" · ")),
    make("ul", {}, ...tree.items.map(node)),
    tree.left > 0 && make("p", { class: "hint" }, `${counted(tree.left, "item")} more without findings.`));
}

// -- outcomes ------------------------------------------------------------------------------------

const shownOutcomes = 500;

function outcomesOf(outcomes) {
  const sums = new Map();
  for (const { state } of outcomes) sums.set(state, (sums.get(state) ?? 0) + 1);
  const rows = outcomes.slice(0, shownOutcomes).map((each, at) => make("tr", {},
    make("td", { class: "number" }, String(at + 1)),
    make("td", {}, make("code", {}, each.operation), each.id && make("span", { class: "hint" }, ` id ${each.id}`)),
    make("td", {}, make("span", { class: `badge ${each.state}` }, each.state)),
    make("td", { class: "number" }, each.status == null ? "" : String(each.status)),
    make("td", {}, each.reason, each.error && make("div", {}, each.error), each.location && make("div", {}, each.location))));
  const heads = ["Number", "Operation", "Outcome", "Status", "How that is known"];
  const left = outcomes.length - rows.length;
  return make("section", { class: "outcomes", "aria-labelledby": "outcomes" },
    make("h2", { id: "outcomes" }, "What became of each operation"),
    make("p", {}, [...sums].map(([state, number]) => `${number} ${state}`).join(", ")),
    make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of outcomes" }, make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each)))),
      make("tbody", {}, ...rows))),
    left > 0 && make("p", { class: "hint" }, `${counted(left, "operation")} more.`));
}

// -- the other format ----------------------------------------------------------------------------

function otherFormat(message, side, index) {
  const content = make("div", { role: "status" });
  const isMultipart = message.type.toLowerCase().startsWith("multipart/");
  const fill = async (event) => {
    if (!event.currentTarget.open || content.childElementCount > 0) return;
    content.append(make("p", {}, "Converting …"));
    try {
      const { done, told, payload, target } = await ask("convert", index, side);
      const losses = told.length > 0
        ? make("pre", { class: "losses" }, told.join("\n"))
        : make("p", {}, "Nothing is lost.");
      const text = payload.map((line) => (typeof line === "number" ? "…" : line[1].map(([each]) => each).join("").replace(/[␍␊]+$/, ""))).join("\n");
      content.replaceChildren(losses, ...(done ? [payloadOf({ payload, findings: [] }, `converted-${side}`, `The ${message.kind} as ${target}`),
        make("p", {}, make("button", { type: "button", onclick: (click) => copy(text, click.currentTarget) }, `Copy as ${target}`))] : []));
    } catch (error) {
      content.replaceChildren(make("p", {}, error.message));
    }
  };
  return make("details", { class: "other", ontoggle: fill },
    make("summary", {}, make("h3", {}, isMultipart ? "The same in JSON" : "The same in multipart")), content);
}

// -- copying and saving --------------------------------------------------------------------------

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", { class: "hidden" });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  say("Copied.");
}

const kinds = { text: ["txt", "text/plain"], json: ["json", "application/json"], sarif: ["sarif", "application/json"] };

async function save(format) {
  try {
    const [ending, type] = kinds[format];
    const url = URL.createObjectURL(new Blob([await ask("save", format)], { type }));
    make("a", { href: url, download: `odata-batch.${ending}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say(`Saved odata-batch.${ending}.`);
  } catch (error) {
    say(error.message);
  }
}

const examples = {
  message: `POST /service/$batch HTTP/1.1
Host: example.org
Authorization: Bearer not-a-real-token
Content-Type: multipart/mixed; boundary=batch_1

--batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary

GET People?$top=1 HTTP/1.1


--batch_1
Content-Type: multipart/mixed; boundary=changeset_1

--changeset_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

POST People HTTP/1.1
Content-Type: application/json

{"Name":"Ann"}
--changeset_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 2

GET $1/Friends HTTP/1.1


--changeset_1--
--batch_1--
`,
  answer: `HTTP/1.1 200 OK
Content-Type: multipart/mixed; boundary=answer_1

--answer_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 200 OK
Content-Type: application/json

{"value":[{"Name":"Bob"}]}
--answer_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 400 Bad Request
Content-Type: application/json

{"error":{"code":"E7","message":"a change set holds no GET"}}
--answer_1--
`,
};

// -- the page ------------------------------------------------------------------------------------

let timer;
function checkSoon() {
  clearTimeout(timer);
  timer = setTimeout(check, 150);
}

for (const id of ["message", "answer", "url"]) $(id).addEventListener("input", checkSoon);
for (const id of ["dialect", "ends", "secrets"]) $(id).addEventListener("change", check);
$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await check();
  $("results").focus();
});
$("cancel").addEventListener("click", () => {
  restart("Cancelled.");
  $("message").focus();
});
$("clear").addEventListener("click", () => {
  $("form").reset();
  dropped = [];
  showChosen();
  check();
  $("message").focus();
});
$("example").addEventListener("click", () => {
  for (const [id, text] of Object.entries(examples)) $(id).value = text;
  check();
});
$("files").addEventListener("change", (event) => {
  addFiles(event.currentTarget.files);
  event.currentTarget.value = "";
});
for (const button of document.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => save(button.dataset.save));
}
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length === 0) return;
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});

load().catch((error) => say(`Python could not be loaded: ${error.message}`));
