// What the page shows of an exchange: findings, payload, tree, outcomes, and the other format.

import { ask } from "./client.js";
import { $, copy, counted, keep, make, say, written } from "./dom.js";

// -- an exchange ---------------------------------------------------------------------------------

export function showExchange({ findings, messages, outcomes }, index) {
    const own = make("ol", { class: "findings" }, ...findings.map((each) => findingOf(each)));
    const isMinor = findings.every(({ severity }) => severity === "note");
    const parts = isMinor ? [] : [own];
    if (outcomes.length > 0) parts.push(outcomesOf(outcomes));
    messages.forEach((message, side) => parts.push(messageOf(message, side, index)));
    if (isMinor && findings.length > 0) parts.push(own);
    $("exchange").replaceChildren(...parts);
}

function messageOf(message, side, index) {
    const name = message.kind === "request" ? "Request" : "Response";
    const id = `message-${side}`;
    const found = message.findings.map((each, number) =>
        findingOf(each, `${id}-mark-${number}`, `${id}-line-${each.place?.line}`),
    );
    const what = [message.start, message.type].filter(Boolean).join(" · ");
    return make(
        "section",
        { class: "message", "aria-labelledby": id },
        make("h2", { id }, name, " ", make("span", { class: "hint" }, message.source)),
        make("p", { class: "start" }, what || "no start line"),
        message.read && make("p", { class: "hint" }, `How it was read: ${message.read}.`),
        headersOf(message.headers),
        make(
            "div",
            { class: "columns" },
            make(
                "div",
                {},
                make("h3", {}, counted(found.length, "finding")),
                found.length > 0
                    ? make("ol", { class: "findings" }, ...found)
                    : make(
                          "p",
                          { class: "clean" },
                          message.instead
                              ? `This is no batch: ${message.instead}.`
                              : "Nothing is wrong with it.",
                      ),
            ),
            make(
                "div",
                {},
                make(
                    "h3",
                    {},
                    "Payload ",
                    make("span", { class: "hint" }, counted(message.octets, "byte")),
                ),
                payloadOf(message, id, `Payload of the ${message.kind}`),
            ),
        ),
        message.tree && treeOf(message, id),
        message.tree && otherFormat(message, side, index),
    );
}

function headersOf(headers) {
    return (
        headers.length > 0 &&
        make(
            "details",
            { class: "headers" },
            make("summary", {}, counted(headers.length, "header")),
            make("pre", {}, headers.join("\n")),
        )
    );
}

function findingOf(each, mark, line) {
    const text = [
        `${each.severity}[${each.rule}]: ${each.message}`,
        `  --> ${each.where}`,
        each.excerpt && `  | ${each.excerpt.join("")}`,
        `  = ${each.sentence} (${each.citation})`,
        `  = To fix: ${each.remedy}`,
    ]
        .filter(Boolean)
        .join("\n");
    const excerpt =
        each.excerpt &&
        make(
            "pre",
            { class: "excerpt" },
            ...written(each.excerpt[0]),
            make(
                "mark",
                { class: each.severity },
                ...(each.excerpt[1] ? written(each.excerpt[1]) : ["(end)"]),
            ),
            ...written(each.excerpt[2]),
        );
    return make(
        "li",
        { class: `finding ${each.severity}`, id: mark && `${mark}-finding`, tabindex: "-1" },
        make(
            "p",
            { class: "head" },
            make("span", { class: `badge ${each.severity}` }, each.severity),
            " ",
            make("code", {}, each.rule),
        ),
        make("p", { class: "told" }, each.message),
        excerpt,
        make("p", {}, make("strong", {}, "To fix: "), each.remedy),
        make(
            "p",
            { class: "why" },
            `${each.sentence} (${each.citation})`,
            each.fatal && " Nothing after this point was read.",
        ),
        make(
            "p",
            { class: "where" },
            each.where && make("span", {}, each.where),
            each.place &&
                mark &&
                make(
                    "button",
                    { type: "button", onclick: () => goTo(mark, line) },
                    "Show",
                    make("span", { class: "hidden" }, ` ${each.rule} in the payload`),
                ),
            make(
                "button",
                { type: "button", onclick: (event) => copy(text, event.currentTarget) },
                "Copy",
                make("span", { class: "hidden" }, ` ${each.rule}`),
            ),
        ),
    );
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
        if (typeof line === "number")
            return make("div", { class: "gap" }, `… ${counted(line, "byte")} not shown …`);
        const [number, pieces] = line;
        const shown = pieces.map(([text, finding], at) => {
            if (finding < 0)
                return text && at === pieces.length - 1
                    ? make("span", { class: "end" }, ...written(text))
                    : written(text);
            const own = `${id}-mark-${finding}`;
            const { severity, rule } = findings[finding];
            const attributes = { class: severity, title: `${rule}: Enter goes to the finding` };
            if (!marked.has(own)) Object.assign(attributes, { id: own, tabindex: "-1" });
            const back = () => goTo(`${own}-finding`);
            attributes.onclick = back;
            attributes.onkeydown = (event) => event.key === "Enter" && back();
            marked.add(own);
            return [make("mark", attributes, ...written(text))];
        });
        const first = !marked.has(`${id}-line-${number}`);
        marked.add(`${id}-line-${number}`);
        return make(
            "div",
            {
                class: "line",
                "data-line": number,
                id: first && `${id}-line-${number}`,
                tabindex: "-1",
            },
            ...shown.flat(),
            "\n",
        );
    });
    return make(
        "pre",
        { class: "payload", tabindex: "0", role: "region", "aria-label": label },
        ...lines,
    );
}

// -- the tree ------------------------------------------------------------------------------------

function treeOf({ tree, findings }, id) {
    const node = (each) => {
        const own = each.findings.map((at) =>
            make(
                "button",
                {
                    type: "button",
                    class: `badge ${findings[at].severity}`,
                    onclick: () => goTo(`${id}-mark-${at}-finding`),
                },
                findings[at].rule,
            ),
        );
        const more = make("span", { class: "more" }, each.more.join(" · "));
        return make(
            "li",
            { class: each.kind },
            make("span", { class: "path" }, each.path),
            " ",
            make("span", { class: "title" }, each.title),
            " ",
            more,
            " ",
            each.line != null &&
                make(
                    "button",
                    {
                        type: "button",
                        class: "line-link",
                        onclick: () => goTo(`${id}-line-${each.line}`),
                    },
                    `line ${each.line}`,
                ),
            " ",
            ...own,
            headersOf(each.headers ?? []),
            each.items.length > 0 && make("ul", {}, ...each.items.map(node)),
        );
    };
    return make(
        "details",
        { open: true, class: "tree" },
        make("summary", {}, make("h3", {}, "What was read")),
        make("p", { class: "hint" }, tree.told.join(" · ")),
        make("ul", {}, ...tree.items.map(node)),
        tree.left > 0 &&
            make("p", { class: "hint" }, `${counted(tree.left, "item")} more without findings.`),
    );
}

// -- outcomes ------------------------------------------------------------------------------------

const shownOutcomes = 500;

function outcomesOf(outcomes) {
    const sums = new Map();
    for (const { state } of outcomes) sums.set(state, (sums.get(state) ?? 0) + 1);
    const rows = outcomes
        .slice(0, shownOutcomes)
        .map((each, at) =>
            make(
                "tr",
                {},
                make("td", { class: "number" }, String(at + 1)),
                make(
                    "td",
                    {},
                    make("code", {}, each.operation),
                    each.id && make("span", { class: "hint" }, ` id ${each.id}`),
                ),
                make("td", {}, make("span", { class: `badge ${each.state}` }, each.state)),
                make("td", { class: "number" }, each.status == null ? "" : String(each.status)),
                make(
                    "td",
                    {},
                    each.reason,
                    each.error && make("div", {}, each.error),
                    each.location && make("div", {}, each.location),
                ),
            ),
        );
    const heads = ["Number", "Operation", "Outcome", "Status", "How that is known"];
    const left = outcomes.length - rows.length;
    return make(
        "section",
        { class: "outcomes", "aria-labelledby": "outcomes" },
        make("h2", { id: "outcomes" }, "What became of each operation"),
        make("p", {}, [...sums].map(([state, number]) => `${number} ${state}`).join(", ")),
        make(
            "div",
            { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of outcomes" },
            make(
                "table",
                {},
                make(
                    "thead",
                    {},
                    make("tr", {}, ...heads.map((each) => make("th", { scope: "col" }, each))),
                ),
                make("tbody", {}, ...rows),
            ),
        ),
        left > 0 && make("p", { class: "hint" }, `${counted(left, "operation")} more.`),
    );
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
            const losses =
                told.length > 0
                    ? make("pre", { class: "losses" }, told.join("\n"))
                    : make("p", {}, "Nothing is lost.");
            const text = payload
                .map((line) =>
                    typeof line === "number"
                        ? "…"
                        : line[1]
                              .map(([each]) => each)
                              .join("")
                              .replace(/[␍␊]+$/, ""),
                )
                .join("\n");
            content.replaceChildren(
                losses,
                ...(done
                    ? [
                          payloadOf(
                              { payload, findings: [] },
                              `converted-${side}`,
                              `The ${message.kind} as ${target}`,
                          ),
                          make(
                              "p",
                              {},
                              make(
                                  "button",
                                  {
                                      type: "button",
                                      onclick: (click) => copy(text, click.currentTarget),
                                  },
                                  `Copy as ${target}`,
                              ),
                          ),
                      ]
                    : []),
            );
        } catch (error) {
            content.replaceChildren(make("p", {}, error.message));
        }
    };
    return make(
        "details",
        { class: "other", ontoggle: fill },
        make(
            "summary",
            {},
            make("h3", {}, isMultipart ? "The same in JSON" : "The same in multipart"),
        ),
        content,
    );
}
