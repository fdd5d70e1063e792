// The page: what is to be checked goes to the worker, and what it answers is shown.

import { ask, end, start } from "./client.js";
import { $, counted, keep, make, say } from "./dom.js";
import { showExchange } from "./exchange.js";

async function load(reason = "") {
    say(`${reason} Loading Python, once …`.trim());
    $("progress").hidden = false;
    const showLoaded = (part) => ($("progress").value = part);
    const { version, dialects } = await start(showLoaded, () => restart(tooMuch));
    $("progress").hidden = true;
    $("version").textContent = version;
    const names = Object.entries(dialects).map(([value, name]) => make("option", { value }, name));
    if ($("dialect").length === 1) $("dialect").append(...names);
    if (!isRunning) say(`${reason} Ready.`.trim());
}

const sayNotLoaded = (error) => say(`Python could not be loaded: ${error.message}`);

// -- what is to be checked -----------------------------------------------------------------------

let dropped = [];

function inputs() {
    const found = dropped.map((file) => ({ name: file.name, content: file }));
    for (const [id, name] of [
        ["message", "message.http"],
        ["answer", "answer.http"],
    ]) {
        const text = $(id).value;
        if (text.trim()) found.push({ name, content: new Blob([withLineEnds(text)]) });
    }
    return found;
}

// A text field has LF only. JSON does not care; everything else is sent with CRLF.
function withLineEnds(text) {
    const isJson = /^\s*("|[[{]\s*["[\]{}])/.test(text);
    return isJson || $("ends").value === "lf" ? text : text.replace(/\r?\n/g, "\r\n");
}

function addFiles(files) {
    dropped.push(...files);
    showChosen();
    checkAndShow();
}

function showChosen() {
    const remove = (file) => {
        dropped = dropped.filter((each) => each !== file);
        showChosen();
        $("files").focus();
        check();
    };
    const rows = dropped.map((file) =>
        make(
            "li",
            {},
            `${file.name} (${counted(file.size, "byte")}) `,
            make(
                "button",
                { type: "button", onclick: () => remove(file) },
                "Remove",
                make("span", { class: "hidden" }, ` ${file.name}`),
            ),
        ),
    );
    $("chosen").replaceChildren(...rows);
    $("chosen").hidden = rows.length === 0;
}

// -- checking ------------------------------------------------------------------------------------

let isRunning = false;
let isWanted = false;
let round = 0;
const tooMuch =
    "It nests too deeply, or is too large, for Python in a browser; the command line can check it.";

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
        const first =
            result.exchanges.length > 0 ? await ask("show", worstOf(result.exchanges)) : null;
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
    isWanted = false;
    end(reason);
    load(reason).catch(sayNotLoaded);
}

function worstOf(exchanges) {
    const weight = (each) => each.error * 1e6 + each.warning * 1e3 + each.note;
    return exchanges.reduce(
        (best, each, at) => (weight(each) > weight(exchanges[best]) ? at : best),
        0,
    );
}

// -- the result ----------------------------------------------------------------------------------

function showResult(result, first, took) {
    const { totals, dialect, exchanges } = result;
    const found = ["error", "warning", "note"].map((each) => counted(totals[`${each}s`], each));
    // The status is for those who hear it: the others see the results.
    const told = `${found.join(", ")} in ${counted(totals.batches, "message")}`;
    say(`${told} (${took} ms).`);
    $("status").classList.add("heard");
    const guessed = dialect.guessed ? `, guessed from ${dialect.guessed}` : "";
    const more = [
        totals.others && `${counted(totals.others, "message")} without a batch`,
        totals.omitted && `${counted(totals.omitted, "finding")} not listed`,
        totals.explained &&
            `${counted(totals.explained, "finding")} explained by bytes that the capture has lost`,
    ].filter(Boolean);
    $("totals").replaceChildren(
        ...keep([
            make("strong", {}, `${told}.`),
            ` Read as ${dialect.name}${guessed}.`,
            more.length > 0 && ` ${more.join("; ")}.`,
            ...Object.entries(result.problems).map(([file, why]) =>
                make("span", { class: "problem" }, `${file}: ${why}`),
            ),
        ]),
    );
    const chosen = worstOf(exchanges);
    $("exchanges").hidden = exchanges.length < 2;
    $("exchanges").replaceChildren(...(exchanges.length < 2 ? [] : listOf(exchanges, chosen)));
    if (first) showExchange(first, chosen);
    else $("exchange").replaceChildren(make("p", {}, "There is no batch in it."));
    $("results").hidden = false;
}

function listOf(exchanges, chosen) {
    const rows = exchanges.map((each, index) =>
        make(
            "li",
            { "data-clean": each.error + each.warning + each.note === 0 },
            make(
                "button",
                {
                    type: "button",
                    "aria-current": index === chosen ? "true" : false,
                    onclick: (event) => choose(event.currentTarget, index),
                },
                make("span", { class: "counts" }, ...countsOf(each)),
                make("span", { class: "name" }, `${each.file} ${each.name}`.trim()),
                make("span", { class: "title" }, each.title),
            ),
        ),
    );
    const only = make("input", {
        type: "checkbox",
        onchange: (event) =>
            $("exchanges").classList.toggle("only-found", event.currentTarget.checked),
    });
    $("exchanges").classList.remove("only-found");
    return [
        make("h2", {}, counted(exchanges.length, "batch").replace("batchs", "batches")),
        make("label", { class: "check" }, only, " only with findings"),
        make("ul", {}, ...rows),
    ];
}

function countsOf(counts) {
    const found = ["error", "warning", "note"].filter((each) => counts[each] > 0);
    return found.length === 0
        ? [make("span", { class: "badge clean" }, "nothing found")]
        : found.map((each) =>
              make("span", { class: `badge ${each}` }, counted(counts[each], each)),
          );
}

async function choose(button, index) {
    const own = round;
    for (const each of $("exchanges").querySelectorAll("[aria-current]"))
        each.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    try {
        const shown = await ask("show", index);
        if (own === round) showExchange(shown, index);
    } catch (error) {
        say(error.message);
    }
}

// -- saving -------------------------------------------------------------------------------------

const kinds = {
    text: ["txt", "text/plain"],
    json: ["json", "application/json"],
    sarif: ["sarif", "application/json"],
};

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

// What was pasted or dropped is to be seen; who types stays where they type.
async function checkAndShow() {
    await check();
    if (!$("results").hidden) $("results").scrollIntoView({ block: "start" });
}

for (const id of ["message", "answer", "url"]) {
    $(id).addEventListener("input", ({ inputType }) =>
        inputType === "insertFromPaste" ? checkAndShow() : checkSoon(),
    );
}
$("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
});
$("skip").addEventListener("click", (event) => {
    event.preventDefault();
    const target = $("results").hidden ? null : $("exchange").querySelector(".finding");
    (target ?? ($("results").hidden ? $("message") : $("results"))).focus();
});
for (const id of ["dialect", "ends", "secrets"]) $(id).addEventListener("change", check);
$("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await checkAndShow();
    $("results").focus({ preventScroll: true });
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
    checkAndShow();
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

load().catch(sayNotLoaded);
