// Elements, texts and the status line.
//
// Whatever comes from a message is inserted as text; the Content-Security-Policy (Trusted Types)
// refuses to make markup of any string.

export const $ = (id) => document.getElementById(id);

// An element with attributes and children; strings become text.
export function make(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
        else if (value === true) made.setAttribute(key, "");
        else if (value !== false && value != null) made.setAttribute(key, value);
    }
    made.append(...keep(children));
    return made;
}

export const keep = (list) => list.filter((each) => each != null && each !== false && each !== "");

// A text in which Python has put pictures of control characters: these become small words, but CRLF,
// in which a line should end, an arrow.
const controls = [
    "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3",
    "DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US SP DEL",
].flatMap((line) => line.split(" "));
export function written(text) {
    return keep(text.split(/(\u240d\u240a|[\u2400-\u2421])/)).map((each) => {
        if (each === "\u240d\u240a") return make("span", { class: "end", title: "CRLF" }, "↵");
        const name = controls[each.charCodeAt(0) - 0x2400];
        return name ? make("span", { class: "control" }, name) : each;
    });
}

export const counted = (number, noun) =>
    `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

export function say(text) {
    $("status").textContent = text;
    $("status").classList.remove("heard");
}

export async function copy(text, button) {
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
