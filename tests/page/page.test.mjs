// Drives the page that checks a batch, as `make page` builds it, in Chromium.
//
// What the page says is held against what the command line says of the same octets. Figures are printed,
// and the pages as they looked are in build/page-test.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, extname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

const root = resolve(import.meta.dirname, "../..");
const built = join(root, "build/page");
const shots = join(root, "build/page-test");
const { chromium } = createRequire(join(root, ".interop/page-test/"))("playwright-core");
const axe = readFileSync(join(root, ".interop/page-test/node_modules/axe-core/axe.min.js"), "utf8");
const python = process.env.PYTHON ?? "python3";

const corpus = (path) => join(root, "spec-fixtures", path);
const faults = JSON.parse(readFileSync(join(import.meta.dirname, "faults.json"), "utf8")).map(
    ({ name, octets }) => ({ name, buffer: Buffer.from(octets, "latin1") }),
);
const file = (path) => ({ name: basename(path), buffer: readFileSync(corpus(path)) });
const text = (name, content) => ({ name, buffer: Buffer.from(content) });
const lines = (...each) => each.join("\r\n");

// -- the browser ---------------------------------------------------------------------------------

const types = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
    ".json": "application/json",
};
let server, elsewhere, browser, page, origin;
const asked = [];
const askedElsewhere = [];
const problems = [];

function listening(answer) {
    return new Promise((done) => {
        const made = createServer(answer).listen(0, "127.0.0.1", () => done(made));
    });
}

before(async () => {
    rmSync(shots, { recursive: true, force: true });
    mkdirSync(shots, { recursive: true });
    // As the plainest of web servers: a type, and no header that helps.
    server = await listening((request, response) => {
        const path = new URL(request.url, "http://here").pathname.replace(/\/$/, "/index.html");
        try {
            const octets = readFileSync(join(built, path));
            response
                .writeHead(200, {
                    "content-type": types[extname(path)] ?? "application/octet-stream",
                })
                .end(octets);
        } catch {
            response.writeHead(404).end();
        }
    });
    elsewhere = await listening((request, response) => {
        askedElsewhere.push(request.url);
        response.writeHead(200, { "access-control-allow-origin": "*" }).end();
    });
    origin = `http://127.0.0.1:${server.address().port}`;
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    context.on("request", (request) => asked.push(request.url()));
    page = await context.newPage();
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.setDefaultTimeout(120_000);
    const begun = performance.now();
    await page.goto(`${origin}/`);
    await status(/Ready/);
    console.log(`loaded in ${Math.round(performance.now() - begun)} ms`);
});

after(async () => {
    await browser?.close();
    server?.close();
    elsewhere?.close();
});

async function status(expected) {
    await page.waitForFunction(
        ([source]) => new RegExp(source).test(document.getElementById("status").textContent),
        [expected.source],
    );
    return page.textContent("#status");
}

const told = () => status(/\(\d+ ms\)|nests too deeply/);

async function clear() {
    await page.click("#clear");
    await status(/Nothing to check/);
}

// Drops files into the field for files, on an empty form.
async function checked(...files) {
    await clear();
    await page.setInputFiles(
        "#files",
        files.map(({ name, buffer }) => ({ name, buffer, mimeType: "application/octet-stream" })),
    );
    return told();
}

async function pasted(message, answer = "") {
    await clear();
    await page.evaluate(
        ([one, other]) => {
            document.getElementById("answer").value = other;
            document.getElementById("message").value = one;
            document
                .getElementById("message")
                .dispatchEvent(
                    new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }),
                );
        },
        [message, answer],
    );
    return told();
}

// What the page shows of each finding, and the octets that are marked for it in the payload.
const findings = () =>
    page.$$eval(".finding", (all) =>
        all.map((each) => ({
            rule: each.querySelector(".head code").textContent,
            severity: each.querySelector(".badge").textContent,
            message: each.querySelector(".told").textContent,
            where: each.querySelector(".where span")?.textContent ?? "",
            isMended: each.textContent.includes("To fix: "),
            excerpt: each.querySelector(".excerpt mark")?.textContent ?? null,
            mark: document.getElementById(each.id.replace(/-finding$/, ""))?.textContent ?? null,
        })),
    );

// What the command line finds, as the page lists it: what is worst first, and not how it was read.
function listed(found) {
    const order = ["error", "warning", "note"];
    const read = ["capture-text", "capture-bare-body", "capture-decoded"];
    return found
        .filter(({ rule }) => !read.includes(rule))
        .sort((one, other) => order.indexOf(one.severity) - order.indexOf(other.severity));
}

// What the command line finds in the same files: the rules, severities and places.
function reported(files, format = "json", ...options) {
    const folder = mkdtempSync(join(tmpdir(), "page-"));
    try {
        for (const { name, buffer } of files) writeFileSync(join(folder, name), buffer);
        const run = [
            "-m",
            "odata_batch",
            "check",
            "--format",
            format,
            "--fail-on",
            "never",
            "--output",
            "out",
            ...options,
        ];
        const environment = { ...process.env, PYTHONPATH: root };
        execFileSync(python, [...run, "--", ...files.map(({ name }) => name)], {
            cwd: folder,
            env: environment,
        });
        return readFileSync(join(folder, "out"), "utf8");
    } finally {
        rmSync(folder, { recursive: true });
    }
}

async function saved(format) {
    // Of clicks that come faster than a person's, Chromium drops a download now and then.
    for (let left = 4; ; left -= 1) {
        const [begun] = await Promise.allSettled([
            page.waitForEvent("download", { timeout: 5_000 }),
            page.click(`[data-save=${format}]`),
        ]);
        if (begun.status === "fulfilled") return readFileSync(await begun.value.path(), "utf8");
        if (left === 0) throw begun.reason;
    }
}

const everything = () => page.evaluate(() => document.documentElement.outerHTML);

// -- what it says --------------------------------------------------------------------------------

test("a clean batch has no finding, its tree and its other format", async () => {
    assert.match(
        await checked(file("valid/query-change-set-query.http")),
        /^0 errors, 0 warnings, \d notes? in 1 message/,
    );
    assert.match(await page.textContent(".tree .title"), /^GET \/library\/Authors/);
    await page.click(".other summary");
    await page.waitForSelector(".other .payload");
    assert.match(await page.textContent(".other"), /"requests":\[\{/);
});

for (const each of faults) {
    test(`of ${each.name}, the page says what the command line says`, async () => {
        await page.selectOption("#dialect", "");
        await checked(each);
        const dialect = await page.textContent("#totals");
        const name = await page.$$eval(
            "#dialect option",
            (all, said) =>
                all.filter((one) => said.includes(`Read as ${one.textContent}`)).at(-1).value,
            dialect,
        );
        const expected = listed(
            JSON.parse(reported([each], "json", "--dialect", name)).files[0].findings,
        );
        const found = await findings();
        assert.deepEqual(
            found.map(({ rule, severity }) => [rule, severity]),
            expected.map(({ rule, severity }) => [rule, severity]),
        );
        for (const [at, { place, path }] of expected.entries()) {
            assert.ok(found[at].isMended);
            assert.ok(found[at].where.endsWith(path));
            if (!place) continue;
            assert.ok(
                found[at].where.startsWith(
                    `line ${place.line}, column ${place.column}, byte ${place.offset}`,
                ),
            );
            // Where two findings mark the same octets, one of them has the mark, or most of it.
            if (found[at].mark !== null)
                assert.ok(
                    found[at].excerpt.includes(found[at].mark),
                    `${found[at].mark} in ${found[at].excerpt}`,
                );
        }
        assert.equal(
            expected.length === 0 || found.some(({ place, mark }) => mark !== null || !place),
            true,
        );
    });
}

test("a text that is pasted is answered within half a second", async () => {
    const times = [];
    for (const each of faults.filter(({ name }) => name.endsWith(".http")).slice(0, 8)) {
        await clear();
        const took = await page.evaluate(async (message) => {
            const begun = performance.now();
            const field = document.getElementById("message");
            field.value = message;
            field.dispatchEvent(new InputEvent("input", { bubbles: true }));
            while (!/\(\d+ ms\)/.test(document.getElementById("status").textContent))
                await new Promise(requestAnimationFrame);
            return performance.now() - begun;
        }, each.buffer.toString("utf8"));
        times.push(Math.round(took));
    }
    console.log(`from paste to answer: ${times.join(", ")} ms`);
    assert.ok(Math.min(...times) < 500);
});

test("the message in every text of the table is found when it is pasted", async () => {
    const [, ...sections] = readFileSync(join(root, "tests/data/texts.txt"), "utf8").split(
        "\n=== ",
    );
    const rows = sections.map((each) => [
        each.slice(0, each.indexOf("\n")).split(" | "),
        each.slice(each.indexOf("\n") + 1),
    ]);
    for (const [[about, meant, said], content] of rows) {
        if (meant === undefined || meant === "itself" || meant === "no batch") continue;
        await pasted(content);
        const shown = await page.textContent("#exchange");
        assert.doesNotMatch(shown, /batch-media-type|json-syntax|Nothing after this/, about);
        assert.ok(shown.includes(`How it was read: ${said}`), about);
    }
});

test("the first finding of what is pasted is seen, and the way to it and back is a key", async () => {
    const graph = (dependsOn) =>
        `12:00 POST https://graph.microsoft.com/v1.0/$batch ${JSON.stringify({ requests: [{ id: "1", method: "GET", url: "/me", [dependsOn]: ["1"], headers: { Accept: "*/*" } }] })}`;
    for (const width of [400, 900, 1400]) {
        await page.setViewportSize({ width, height: 800 });
        await pasted(graph("dependOn"));
        await page.screenshot({ path: join(shots, `${width}-pasted.png`) });
        const [first] = await findings();
        assert.deepEqual([first.rule, first.severity], ["json-member-misspelt", "warning"]);
        assert.ok(
            await page.evaluate(
                () => document.querySelector(".finding .told").getBoundingClientRect().bottom < 800,
            ),
            `${width}`,
        );
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    const focused = (selector) =>
        page.evaluate((each) => document.activeElement.matches(each), selector);
    await page.focus(".finding button:has-text('Show')");
    await page.keyboard.press("Enter");
    assert.ok(await focused(".payload mark"));
    await page.keyboard.press("Enter");
    assert.ok(await focused(".finding"));
    await page.focus("#skip");
    await page.keyboard.press("Enter");
    assert.ok(await focused(".finding"));
    await page.focus("#message");
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => document.activeElement.id === "results");
    assert.equal(await page.locator("#status.heard").count(), 1);
});

test("copies of a log are read when pasted", async () => {
    const copy = faults.find(({ name }) => name === "spelt-out-line-ends.txt").buffer.toString();
    assert.match(await pasted(copy), /^0 errors/);
    assert.equal(await page.textContent(".tree .title"), "GET People");
    assert.match(
        await pasted(
            `\`\`\`http\nPOST /s/$batch HTTP/1.1\nContent-Type: application/json\n\n{"requests":[]}\n\`\`\`\n`,
        ),
        /in 1 message/,
    );
    assert.doesNotMatch(await page.textContent("#exchange"), /batch-media-type/);
    assert.match(
        await pasted(
            `> POST /s/$batch HTTP/1.1\n> Content-Type: application/json\n>\n> {"requests":[]}`,
        ),
        /in 1 message/,
    );
});

test("line ends of a text are CRLF unless it is said otherwise", async () => {
    const message =
        "POST /s/$batch HTTP/1.1\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nGET People HTTP/1.1\n\n\n--b--\n";
    assert.match(await pasted(message), /^0 errors, 0 warnings, 0 notes/);
    await page.selectOption("#ends", "lf");
    await status(/^0 errors, 1 warning/);
    assert.deepEqual(
        (await findings()).map(({ rule }) => rule),
        ["line-feed"],
    );
    assert.equal(await page.textContent(".line .end"), "LF");
});

test("of a response that is cut, the tree has what comes before the cut", async () => {
    const part = `--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nHTTP/1.1 204 No Content\n\n\n`;
    const head = "HTTP/1.1 200 OK\nContent-Type: multipart/mixed; boundary=b\n\n--b\n";
    await pasted(`${head}Content-Type: multipart/mixed; boundary=c\n\n${part}${part}--c\nContent`);
    assert.equal(await page.locator(".tree li:has-text('before the cut')").count(), 2);
});

test("a request and its response are a pair, with the outcome of every operation", async () => {
    const request = lines(
        "POST /s/$batch HTTP/1.1",
        "Content-Type: application/json",
        "",
        '{"requests":[{"id":"1","method":"GET","url":"A"},{"id":"2","method":"GET","url":"B"},{"id":"3","method":"GET","url":"C"}]}',
    );
    const response = lines(
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "",
        '{"responses":[{"id":"2","status":404,"body":{"error":{"code":"E1","message":"no B"}}},{"id":"1","status":200}]}',
    );
    const rows = () =>
        page.$$eval(".outcomes tbody tr", (all) =>
            all.map((row) => [...row.cells].slice(1, 4).map((cell) => cell.textContent)),
        );
    for (const both of [
        [request, response],
        [response, request],
    ]) {
        await pasted(...both);
        assert.deepEqual(await rows(), [
            ["GET A id 1", "succeeded", "200"],
            ["GET B id 2", "failed", "404"],
            ["GET C id 3", "unknown", ""],
        ]);
        assert.match(await page.textContent(".outcomes"), /E1: no B/);
        const found = await findings();
        assert.deepEqual(
            found.map(({ rule }) => rule),
            ["response-missing"],
        );
        assert.match(found[0].where, /^(message|answer)\.http, line/);
    }
    await checked(text("b.txt", response), text("a.txt", request));
    assert.equal((await rows()).length, 3);
});

test("the dialect is guessed from the URL, or chosen", async () => {
    const urls = {
        "https://graph.microsoft.com/v1.0/$batch": "Microsoft Graph",
        "https://o.crm4.dynamics.com/api/data/v9.2/$batch": "Microsoft Dataverse",
        "https://api.businesscentral.dynamics.com/v2.0/t/production/api/v2.0/$batch":
            "Business Central",
        "https://acc.table.core.windows.net/$batch": "Azure Tables",
        "https://t.sharepoint.com/sites/a/_api/$batch": "SharePoint",
        "https://host/sap/opu/odata/sap/API_BP/$batch": "SAP Gateway",
        "https://host:50000/b1s/v1/$batch": "SAP Business One",
        "http://localhost:4004/odata/v4/catalog/$batch": "SAP CAP",
        "https://host/service/$batch": "OData 4.01",
    };
    const answer = (field, place) =>
        `HTTP/1.1 202 Accepted\nContent-Type: multipart/mixed; boundary=b\n${field}\n\n--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nHTTP/1.1 204 No Content\nLocation: ${place}\n\n\n--b--\n`;
    for (const [given, name] of [
        [answer("Server: Windows-Azure-Table/1.0", "T(1)"), "Azure Tables"],
        [answer("A: b", "https://acc.table.core.windows.net/T(1)"), "Azure Tables"],
        [`{"responses":[{"id":"1","status":200,"body":{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata"}}]}`, "Microsoft Graph"],
    ]) {
        await pasted(given);
        assert.match(await page.textContent("#totals"), new RegExp(`Read as ${name}`), given);
    }
    for (const [url, name] of Object.entries(urls)) {
        await pasted(
            `POST ${url} HTTP/1.1\nContent-Type: application/json\n\n{"requests":[{"id":"1","method":"GET","url":"A"}]}`,
        );
        assert.match(await page.textContent("#totals"), new RegExp(`Read as ${name}`), url);
        const { pathname, host } = new URL(url);
        await pasted(
            `POST ${pathname} HTTP/1.1\nHost: ${host}\nContent-Type: application/json\n\n{"requests":[]}`,
        );
        assert.match(await page.textContent("#totals"), new RegExp(`Read as ${name}`), url);
        await pasted('{"requests":[]}');
        await page.fill("#url", url);
        await page.waitForFunction(
            (said) => document.getElementById("totals").textContent.includes(`Read as ${said}`),
            name,
        );
    }
    await page.selectOption("#dialect", "graph");
    await page.waitForFunction(() =>
        document.getElementById("totals").textContent.includes("Read as Microsoft Graph."),
    );
});

// -- files ---------------------------------------------------------------------------------------

function har(number, faulty) {
    const body = (at) =>
        lines(
            "--b",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            `GET People(${at}) HTTP/1.1`,
            "",
            "",
            "--b--",
            "",
        );
    const answer = (at) =>
        lines(
            "--b",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            "",
            `{"at":${at}}`,
            "--b--",
            "",
        );
    const type = { name: "Content-Type", value: "multipart/mixed; boundary=b" };
    const entries = Array.from({ length: number }, (_, at) => ({
        request: {
            method: "POST",
            url: `https://example.org/s/$batch?at=${at}`,
            httpVersion: "HTTP/1.1",
            headers: [type, { name: "Authorization", value: `Bearer secret${at}` }],
            postData: {
                mimeType: type.value,
                text: at === faulty ? body(at).replace("--b--", "") : body(at),
            },
        },
        response: {
            status: 200,
            statusText: "OK",
            httpVersion: "HTTP/1.1",
            headers: [type, { name: "Set-Cookie", value: `session=cookie${at}; Path=/` }],
            content: {
                mimeType: type.value,
                text: Buffer.from(answer(at)).toString("base64"),
                encoding: "base64",
                size: answer(at).length,
            },
        },
    }));
    return text("many.har", JSON.stringify({ log: { version: "1.2", entries } }));
}

test("a HAR file with 300 exchanges is listed, and shows the worst of them first", async () => {
    const begun = performance.now();
    const given = har(300, 217);
    assert.match(await checked(given), /in 600 messages/);
    console.log(`300 exchanges in ${Math.round(performance.now() - begun)} ms`);
    assert.equal(await page.locator("#exchanges li").count(), 300);
    assert.match(await page.textContent("#exchanges [aria-current]"), /entries\[217\]/);
    const expected = listed(JSON.parse(reported([given])).files[0].findings);
    assert.deepEqual(
        (await findings()).map(({ rule }) => rule),
        expected.map(({ rule }) => rule),
    );
    assert.equal(expected.length > 0, true);
    await page.check("#exchanges input");
    assert.equal(await page.locator("#exchanges li:visible").count(), 1);
    await page.uncheck("#exchanges input");
    await page.click("#exchanges li:nth-child(4) button");
    await page.waitForFunction(() =>
        document.getElementById("exchange").textContent.includes("People(3)"),
    );
    assert.match(await page.textContent(".outcomes"), /1 succeeded/);
    assert.doesNotMatch(await everything(), /secret\d|cookie\d/);
    await page.check("#secrets");
    await page.waitForFunction(() =>
        document.getElementById("exchange").textContent.includes("Bearer secret217"),
    );
    await page.uncheck("#secrets");
});

test("a long list and long names fit a narrow window", async () => {
    const given = har(3, 1);
    const name = `${"a-long-name-".repeat(9)}.har`;
    given.buffer = Buffer.from(
        String(given.buffer).replaceAll(
            "example.org/s/",
            `example.org/${"s".repeat(90)}/api/data/v9.2/`,
        ),
    );
    await checked({ ...given, name });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: join(shots, "390-list.png"), fullPage: true });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
    await page.setViewportSize({ width: 1280, height: 900 });
});

test("a SAZ file is read", async () => {
    const given = file("captures/exchange-archived.saz");
    await checked(given);
    const { totals } = JSON.parse(reported([given]));
    assert.match(
        await page.textContent("#totals"),
        new RegExp(
            `^${totals.errors} errors?, ${totals.warnings} warnings?, ${totals.notes} notes? in ${totals.batches} message`,
        ),
    );
    assert.ok((await page.locator(".payload").count()) > 0);
});

test("every capture of the corpus is read as the command line reads it", async () => {
    const { captures } = JSON.parse(readFileSync(corpus("manifest.json"), "utf8"));
    const files = captures.map((each) => file(each.file));
    await page.selectOption("#dialect", "4.01");
    await checked(...files);
    await page.selectOption("#dialect", "4.01");
    await page.waitForFunction(() =>
        document.getElementById("totals").textContent.includes("Read as OData 4.01."),
    );
    const ours = JSON.parse(await saved("json"));
    const theirs = JSON.parse(reported(files));
    assert.deepEqual(ours.totals, theirs.totals);
    assert.deepEqual(
        ours.files.map(({ findings }) => findings.map(({ rule }) => rule)),
        theirs.files.map(({ findings }) => findings.map(({ rule }) => rule)),
    );
});

test("a file that is dropped on the page is checked", async () => {
    await clear();
    const transfer = await page.evaluateHandle(() => {
        const made = new DataTransfer();
        made.items.add(
            new File(['{"requests":[{"id":"1","method":"GET","url":"Dropped"}]}'], "dropped.json"),
        );
        return made;
    });
    await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
    await told();
    assert.equal(await page.textContent(".tree .title"), "GET Dropped");
    await page.click("#chosen button");
    await status(/Nothing to check/);
});

function large() {
    const one = lines(
        "--b",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "",
        `{"value":"${"x".repeat(4000)}"}`,
        "",
    );
    const number = Math.ceil((20 * 1024 * 1024) / one.length);
    const type = "Content-Type: multipart/mixed; boundary=b";
    const head = lines("HTTP/1.1 200 OK", type, "OData-Version: 4.01", "", "");
    return text("large.http", `${head}${one.repeat(number)}--b--\r\n`);
}

test("a response of 20 MiB is checked, and can be cancelled", async () => {
    const given = large();
    const begun = performance.now();
    assert.match(await checked(given), /^0 errors, 0 warnings, 0 notes in 1 message/);
    console.log(`20 MiB in ${Math.round(performance.now() - begun)} ms`);
    assert.match(await page.textContent(".payload"), /bytes not shown/);
    assert.match(await page.textContent(".tree"), /items more without findings/);
    assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) < 10_000);
    await clear();
    await page.setInputFiles("#files", [
        { name: given.name, buffer: given.buffer, mimeType: "text/plain" },
    ]);
    await status(/Checking/);
    const asking = performance.now();
    await page.click("#cancel");
    await status(/Cancelled/);
    console.log(`cancelled in ${Math.round(performance.now() - asking)} ms`);
    await status(/Cancelled. Ready/);
    assert.match(
        await pasted('{"requests":[{"id":"1","method":"GET","url":"A"}]}'),
        /in 1 message/,
    );
});

test("a file that is larger than the limits is refused", async () => {
    await clear();
    const path = join(shots, "huge.http");
    writeFileSync(path, Buffer.alloc(65 * 1024 * 1024, "x"));
    await page.setInputFiles("#files", path);
    await told();
    rmSync(path);
    assert.match(await page.textContent("#totals .problem"), /huge.http: .*67108864 octets/);
});

test("what nests too deeply for the browser is said, and the next message is checked", async () => {
    await checked(
        text(
            "deep.json",
            `{"requests":[{"id":"1","method":"GET","url":"A","body":${"[".repeat(100_000)}${"]".repeat(100_000)}}]}`,
        ),
    );
    await status(/nests too deeply.*Ready/);
    // What Pyodide says of its own end is on the console.
    problems.length = 0;
    assert.match(
        await pasted('{"requests":[{"id":"1","method":"GET","url":"A"}]}'),
        /in 1 message/,
    );
});

// -- safety --------------------------------------------------------------------------------------

const markup = `<img src=x onerror="hacked=1"><script>hacked=1</script><iframe src=//x></iframe>'"&lt;`;
const inToken = "<img/src=x/onerror=hacked=1>";

test("markup in every field stays text", async () => {
    const count = () =>
        page.evaluate(() =>
            ["img", "script", "iframe", "svg", "style", "link", "object"]
                .map((name) => document.querySelectorAll(name).length)
                .join(),
        );
    const own = await count();
    const escaped = JSON.stringify(markup).slice(1, -1);
    const request = lines(
        `POST https://h/${inToken}/$batch HTTP/1.1`,
        `X-${inToken}: ${markup}`,
        `Content-Type: multipart/mixed; boundary="<img src=x>"`,
        "",
        markup,
        "--<img src=x>",
        `Content-Type: application/http; a="${inToken}"`,
        `X: ${markup}`,
        `Content-ID: ${inToken}`,
        "",
        `${inToken} ${markup} HTTP/1.1`,
        `${inToken}: ${markup}`,
        "",
        markup,
        "--<img src=x>--",
        markup,
    );
    const response = lines(
        `HTTP/1.1 200 ${markup}`,
        "Content-Type: application/json",
        "",
        `{"responses":[{"id":"${escaped}","status":400,"${escaped}":"${escaped}","headers":{"${escaped}":"${escaped}"},"body":{"error":{"code":"${escaped}","message":"${escaped}"}}}],"@odata.nextLink":"${escaped}"}`,
    );
    const json = lines(
        `POST /s/$batch HTTP/1.1`,
        "Content-Type: application/json",
        "",
        `{"requests":[{"id":"${escaped}","method":"GET","url":"${escaped}","if":"${escaped}","dependsOn":["${escaped}"],"atomicityGroup":"${escaped}","headers":{"a":"${escaped}"}}]}`,
    );
    const page404 = lines(
        `HTTP/1.1 404 ${markup}`,
        "Content-Type: text/html",
        "",
        `<title>${markup}</title>`,
    );
    for (const given of [
        [text(`${inToken.replaceAll("/", " ")}.http`, request)],
        [text("a", json), text("b", response)],
        [text("a", request), text("b", page404)],
        [text("c", markup)],
    ]) {
        await checked(...given);
        for (const each of await page.$$(".other summary")) await each.click();
        await page.waitForFunction(() => !document.body.textContent.includes("Converting"));
        await page.waitForTimeout(100);
        assert.equal(await count(), own);
        assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
        assert.match(await page.textContent("#results"), /<img/);
    }
    await assert.rejects(
        page.evaluate(() => void (document.body.innerHTML = "<b>")),
        /TrustedHTML/,
    );
    assert.match(problems.pop(), /TrustedHTML/);
});

// A SAZ file whose response is not what its checksum says.
function damaged(request) {
    const program = `import io, sys, zipfile
made = io.BytesIO()
with zipfile.ZipFile(made, "w") as archive:
    archive.writestr("raw/1_c.txt", sys.stdin.buffer.read())
    archive.writestr("raw/1_s.txt", "HTTP/1.1 200 OK")
sys.stdout.buffer.write(made.getvalue().replace(b"200 OK", b"201 OK"))`;
    return { name: "g.saz", buffer: execFileSync(python, ["-c", program], { input: request }) };
}

test("secrets are masked in what is shown and saved, unless they are asked for", async () => {
    const message = lines(
        "POST /s/$batch?sig=hushsig HTTP/1.1",
        "Host: h",
        "Authorization: Bearer hushtoken",
        "Cookie: a=hushcookie; b=hushtoo",
        "X-Api-Key: hushkey",
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "Content-Type: application/http",
        "",
        "GET A HTTP/1.1",
        "Authorization: Basic aHVzaA==",
        "x-csrf-token: hushcsrf",
        "",
        "",
        "--b--",
        "",
    );
    const json = lines(
        "POST /s/$batch HTTP/1.1",
        "Content-Type: application/json",
        "",
        '{"requests":[{"id":"1","method":"GET","url":"A","headers":{"Authorization":"Bearer hushjson","Set-Cookie":"a=hushset"}}]}',
    );
    const utf16 = Buffer.from(`\ufeff${message}`, "utf16le");
    const spelt = JSON.stringify(message);
    const curl =
        "curl -X POST https://h/s/$batch -u hushuser:hushword -H 'Authorization: Bearer hushcurl' -H 'Content-Type: application/json' -d '{\"requests\":[]}'";
    const hushed = /hush[a-z]|aHVzaA/;
    const answer = gzipSync(
        lines(
            "--b",
            "Content-Type: application/http",
            "",
            "HTTP/1.1 200 OK",
            "Set-Cookie: a=hushzip",
            "",
            "",
            "--b--",
            "",
        ),
    );
    const zipped = Buffer.concat([
        Buffer.from(
            lines(
                "HTTP/1.1 200 OK",
                "Content-Type: multipart/mixed; boundary=b",
                "Content-Encoding: gzip",
                "",
                "",
            ),
        ),
        answer,
    ]);
    const many = [
        text("a.http", message),
        text("b.http", json),
        { name: "c.txt", buffer: utf16 },
        text("d.txt", spelt),
        text("e.sh", curl),
        { name: "f.http", buffer: zipped },
        damaged(message),
        har(2),
    ];
    for (const given of many) {
        await checked(given);
        for (const each of await page.$$(".other summary")) await each.click();
        await page.waitForFunction(() => !document.body.textContent.includes("Converting"));
        const all = [
            await everything(),
            await saved("text"),
            await saved("json"),
            await saved("sarif"),
        ];
        for (const each of all)
            assert.doesNotMatch(each, /hush[a-z]|aHVzaA|secret\d|cookie\d/, given.name);
    }
    await checked(text("a.http", message));
    await page.check("#secrets");
    await page.waitForFunction(() =>
        document.querySelector(".payload")?.textContent.includes("hushtoken"),
    );
    assert.match(await everything(), hushed);
    assert.match(await saved("text"), /Basic aHVzaA==|hushcsrf|forbidden-header/);
    await page.uncheck("#secrets");
});

test("the reports that are saved are those of the command line", async () => {
    const given = faults.filter(({ name }) => !/authorization|utf-16/.test(name));
    await page.selectOption("#dialect", "4.01");
    await checked(...given);
    await page.selectOption("#dialect", "4.01");
    await page.waitForFunction(() =>
        document.getElementById("totals").textContent.includes("Read as OData 4.01."),
    );
    const plain = (report) => {
        const read = JSON.parse(report);
        delete read.tool?.version;
        delete read.runs?.[0].tool.driver.version;
        return read;
    };
    assert.equal(await saved("text"), reported(given, "text"));
    for (const format of ["json", "sarif"])
        assert.deepEqual(plain(await saved(format)), plain(reported(given, format)));
});

test("the examples of the Python of the page are right", () => {
    execFileSync(python, ["-m", "doctest", join(root, "docs/check/page.py")], {
        env: { ...process.env, PYTHONPATH: root },
    });
});

// -- people --------------------------------------------------------------------------------------

test("a finding is copied", async () => {
    await checked(faults.find(({ name }) => name === "spaces-in-url.http"));
    const [first] = await findings();
    await page.click(".finding button:has-text('Copy')");
    await status(/Copied/);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(
        copied.startsWith(
            `${first.severity}[${first.rule}]: ${first.message}\n  --> ${first.where}\n`,
        ),
    );
    assert.match(copied, /\n {2}= To fix: /);
});

test("the keyboard is enough", async () => {
    await clear();
    assert.equal(await page.evaluate(() => document.activeElement.id), "message");
    await page.keyboard.insertText(
        faults.find(({ name }) => name === "spaces-in-url.http").buffer.toString(),
    );
    await told();
    const order = [];
    for (let at = 0; at < 12; at++) {
        await page.keyboard.press("Tab");
        order.push(await page.evaluate(() => document.activeElement.id));
    }
    const expected = [
        "answer",
        "files",
        "dialect",
        "url",
        "ends",
        "secrets",
        "check",
        "clear",
        "example",
    ];
    assert.deepEqual(order.slice(0, expected.length), expected);
    await page.focus("#check");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement.id === "results");
    await page.focus(".finding button:has-text('Show')");
    await page.keyboard.press("Enter");
    assert.ok(
        await page.evaluate(() => document.activeElement.matches(".payload mark, .payload .line")),
    );
    await page.focus(".tree .badge");
    await page.keyboard.press("Enter");
    assert.ok(await page.evaluate(() => document.activeElement.classList.contains("finding")));
});

const views = [
    [1440, 900],
    [820, 1100],
    [390, 844],
].flatMap(([width, height]) => ["light", "dark"].map((scheme) => ({ width, height, scheme })));

test("it fits three widths, light and dark, without a problem that axe finds", async () => {
    await clear();
    await page.click("#example");
    await told();
    await page.click(".other summary");
    await page.waitForSelector(".other .payload");
    await page.evaluate(axe);
    for (const { width, height, scheme } of views) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: scheme });
        await page.screenshot({ path: join(shots, `${width}-${scheme}.png`), fullPage: true });
        assert.ok(
            (await page.evaluate(() => document.documentElement.scrollWidth)) <= width,
            `${width}`,
        );
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(
            violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
            [],
        );
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: null });
});

test("nothing leaves the page, and nothing can", async () => {
    const strangers = asked.filter(
        (url) => !url.startsWith(`${origin}/`) && !url.startsWith(`blob:${origin}/`),
    );
    assert.deepEqual(strangers, []);
    const own = [
        "/",
        "/style.css",
        "/page.js",
        "/dom.js",
        "/client.js",
        "/exchange.js",
        "/worker.js",
        "/files.json",
        "/page.py",
    ];
    const others = new Set(
        asked.filter((url) => url.startsWith("http")).map((url) => new URL(url).pathname),
    );
    for (const each of others)
        assert.ok(
            own.includes(each) ||
                /^\/(pyodide\/pyodide|pyodide\/python|odata_batch)[^/]*$/.test(each),
            each,
        );
    assert.deepEqual(problems, []);
    const target = `http://127.0.0.1:${elsewhere.address().port}/`;
    const attempt = async (url) => {
        try {
            await fetch(url);
            return "sent";
        } catch {
            return "refused";
        }
    };
    assert.equal(await page.evaluate(attempt, target), "refused");
    assert.equal(page.workers().length, 1);
    assert.equal(await page.workers()[0].evaluate(attempt, target), "refused");
    assert.deepEqual(askedElsewhere, []);
});
