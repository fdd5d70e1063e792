// Runs Python: loads Pyodide and the wheel once, then answers one question after the other.
//
// A question is {id, ask, given}, its answer {id, answer} or {id, error, isFatal}. While it loads, the worker
// says {loaded}, a number from 0 to 1. The page starts it from a blob, so that it is under the
// Content-Security-Policy of the page.

const here = new URL(".", import.meta.url);
const packages = "/packages";
const work = "/check";
let isLoaded = false;
const python = start();

async function start() {
    const { files, wheel } = await (await fetch(new URL("files.json", here))).json();
    countLoaded(files);
    const { loadPyodide } = await import(new URL("pyodide/pyodide.mjs", here));
    const pyodide = await loadPyodide({ indexURL: new URL("pyodide/", here).href });
    const [packed, page] = await Promise.all([octetsOf(wheel), octetsOf("page.py")]);
    pyodide.unpackArchive(packed, "wheel", { extractDir: packages });
    pyodide.FS.writeFile(`${packages}/page.py`, page);
    pyodide.runPython(`import sys; sys.path.append("${packages}")`);
    pyodide.FS.mkdirTree(work);
    pyodide.FS.chdir(work);
    const loaded = { files: pyodide.FS, page: pyodide.pyimport("page") };
    // What is compiled and remembered at the first check need not be waited for at the first paste.
    await answers.check(
        loaded,
        [{ name: "warm", content: new Blob(["--b\r\n\r\nGET A"]) }],
        "",
        "",
        false,
    );
    loaded.page.show(0);
    isLoaded = true;
    return loaded;
}

async function octetsOf(name) {
    return new Uint8Array(await (await fetch(new URL(name, here))).arrayBuffer());
}

// Counts the octets that arrive, also of what Pyodide fetches itself.
function countLoaded(sizes) {
    const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    const direct = self.fetch;
    let sum = 0;
    self.fetch = async (...request) => {
        const response = await direct(...request);
        const counter = new TransformStream({
            transform(octets, controller) {
                sum += octets.byteLength;
                self.postMessage({ loaded: Math.min(1, sum / all) });
                controller.enqueue(octets);
            },
        });
        const { headers, status } = response;
        return new Response(response.body.pipeThrough(counter), { headers, status });
    };
}

const answers = {
    async about({ page }) {
        return JSON.parse(page.about());
    },
    // `inputs` are files and texts with a name; they are files of Python until the next ones come.
    async check({ files, page }, inputs, dialect, url, secrets) {
        for (const name of files.readdir(work)) {
            if (name !== "." && name !== "..") files.unlink(`${work}/${name}`);
        }
        const names = [];
        for (const { name, content } of inputs) {
            const own = unique(name, names);
            // One octet more than is read is enough for Python to say that it is too large.
            const octets = await content.slice(0, page.MOST + 1).arrayBuffer();
            files.writeFile(`${work}/${own}`, new Uint8Array(octets));
            names.push(own);
        }
        return JSON.parse(page.check(JSON.stringify(names), dialect, url, secrets));
    },
    async show({ page }, index) {
        return JSON.parse(page.show(index));
    },
    async convert({ page }, index, side) {
        return JSON.parse(page.convert(index, side));
    },
    async save({ page }, format) {
        return page.save(format);
    },
};

// The name that a report calls a file by: no path, and not that of another file.
function unique(name, taken) {
    const plain = name.replace(/[/\\\0]/g, "_").replace(/^\.+$/, "_") || "_";
    for (let number = 1; ; number++) {
        const tried = number === 1 ? plain : plain.replace(/(\.[^.]*)?$/, ` (${number})$1`);
        if (!taken.includes(tried)) return tried;
    }
}

// One at a time, in order.
let last = Promise.resolve();
self.onmessage = ({ data: { id, ask, given } }) => {
    last = last.then(async () => {
        try {
            self.postMessage({ id, answer: await answers[ask](await python, ...given) });
        } catch (error) {
            // After such an error Python is no more; the page starts another worker.
            const isFatal = isLoaded && (error.pyodide_fatal_error || error instanceof RangeError);
            self.postMessage({ id, isFatal, error: String(error.message ?? error) });
        }
    });
};
