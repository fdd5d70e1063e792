// The worker in which Python runs, and what is asked of it.

const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: (url) => url });
let worker;
let waiting = new Map();
let lastId = 0;

// Starts the worker, and returns what Python says of itself once it is loaded. `onLoaded` is told how
// much of it is, and `onFatal` is called where Python has ended, before anyone is told.
export function start(onLoaded, onFatal) {
    // A worker from a blob is under the policy of this page; one from a file would have none.
    const source = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    worker = new Worker(policy ? policy.createScriptURL(url) : url, { type: "module" });
    worker.onmessage = ({ data }) => {
        if ("loaded" in data) return onLoaded(data.loaded);
        if (data.isFatal) return onFatal();
        const { resolve, reject } = waiting.get(data.id);
        waiting.delete(data.id);
        if ("error" in data) reject(new Error(data.error));
        else resolve(data.answer);
    };
    worker.onerror = (event) => end(event.message ?? "see the console");
    return ask("about");
}

export function ask(what, ...given) {
    const id = ++lastId;
    worker.postMessage({ id, ask: what, given });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

// Ends the worker; whoever waits for an answer is told why there will be none.
export function end(reason) {
    worker.terminate();
    const left = waiting;
    waiting = new Map();
    for (const { reject } of left.values()) reject(new Error(reason));
}
