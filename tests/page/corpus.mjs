// Runs the tests of the corpus, as they are, with the wheel of the page under the Python of the page.
//
// node corpus.mjs FOLDER_OF_THE_PAGE FOLDER_OF_PACKAGES [ARGUMENT OF PYTEST...]

import { readFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { Worker, isMainThread } from "node:worker_threads";

// A message that nests 100 000 levels deep is refused first of all by the RecursionError of CPython.
// Pyodide's, given this stack, reads on: it refuses it, too, but after notes about what it has read.
const tooDeep = [
    "test_strict_decoding_does_what_the_manifest_says[adversarial-G12-deep-body]",
    "test_checking_reports_what_the_manifest_lists[adversarial-G12-deep-body]",
    "test_checking_reports_what_the_manifest_lists[adversarial-G13-deep-member]",
];

if (isMainThread) {
    // JSON that nests 100 000 levels deep is read with recursion: Node's own stack would overflow first.
    const worker = new Worker(new URL(import.meta.url), {
        argv: process.argv.slice(2),
        resourceLimits: { stackSizeMb: 64 },
    });
    worker.on("error", (error) => {
        console.error(error.stack?.slice(0, 2000) ?? String(error));
        process.exitCode = 1;
    });
    worker.on("exit", (code) => (process.exitCode ||= code));
} else {
    process.exitCode = await run(...process.argv.slice(2));
}

async function run(page, packages, ...given) {
    const { loadPyodide } = await import(resolve(page, "pyodide/pyodide.mjs"));
    const { wheel } = JSON.parse(readFileSync(resolve(page, "files.json"), "utf8"));
    const pyodide = await loadPyodide({
        indexURL: `${resolve(page, "pyodide")}/`,
        env: { HYPOTHESIS_PROFILE: "quick", PYTHONDONTWRITEBYTECODE: "1", HOME: "/tmp" },
    });
    pyodide.setStdout({ batched: (line) => writeSync(1, `${line}\n`) });
    pyodide.setStderr({ batched: (line) => writeSync(2, `${line}\n`) });
    pyodide.unpackArchive(new Uint8Array(readFileSync(resolve(page, wheel))), "wheel", {
        extractDir: "/wheel",
    });

    // Only the tests and the corpus are of the checkout, so that its package cannot be what is imported.
    for (const name of ["tests", "spec-fixtures", "docs"]) {
        pyodide.FS.mkdirTree(`/project/${name}`);
        pyodide.FS.mount(
            pyodide.FS.filesystems.NODEFS,
            { root: resolve(name) },
            `/project/${name}`,
        );
    }
    pyodide.FS.mkdirTree("/packages");
    pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: resolve(packages) }, "/packages");
    pyodide.FS.writeFile("/project/pyproject.toml", readFileSync("pyproject.toml", "utf8"));
    pyodide.FS.chdir("/project");
    const corpora = "fixtures readings messages conversion matching planning urls".split(" ");
    const files = corpora.map((name) => `tests/test_${name}.py`);
    const options = [
        "-p",
        "no:cacheprovider",
        "--capture=sys",
        ...tooDeep.map((name) => `--deselect=tests/test_fixtures.py::${name}`),
    ];
    pyodide.globals.set("arguments", pyodide.toPy([...options, ...(given.length ? given : files)]));
    return pyodide.runPython(`
import sys
sys.path[:0] = ["/project", "/wheel", "/packages"]
import odata_batch, pytest
assert odata_batch.__file__.startswith("/wheel/"), odata_batch.__file__
print("CPython", sys.version.split()[0], "on", sys.platform, "with odata_batch", odata_batch.__version__)
int(pytest.main(list(arguments)))
`);
}
