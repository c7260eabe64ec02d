// Runs a MicroPython script on the 32-bit WebAssembly build, with folders of ours to import from.
// Usage: node run.mjs [--settrace] PACKAGE_FOLDER SCRIPT FOLDER=MOUNT...
// Its integers, floats and heap objects have the size they have on our boards.
//
// --settrace takes the variant of the build that has sys.settrace.
// A line `# ---` ends a part of the script: the heap is collected there, from outside, because a
// collection inside a running script leaves what the JavaScript stack may still point to.
//
// Beware: an exception that escapes while the heap is locked hangs this build for ever. Scripts
// unlock in a `finally`, and callers set a time limit.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const words = process.argv.slice(2);
const settrace = words[0] === "--settrace";
const [packageFolder, script, ...mounts] = settrace ? words.slice(1) : words;
const { loadMicroPython } = await import(
  pathToFileURL(path.join(packageFolder, "micropython.mjs"))
);

const HEAP_BYTES = 4 * 1024 * 1024;
const PART = /^# ---.*$/m;
const binary = settrace ? "micropython-settrace.wasm" : "micropython.wasm";
const micropython = await loadMicroPython({
  url: path.join(packageFolder, binary),
  heapsize: HEAP_BYTES,
  stdout: (line) => console.log(line),
  linebuffer: true,
});

function copy(from, to) {
  micropython.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    const target = `${to}/${entry.name}`;
    if (entry.isDirectory()) {
      copy(source, target);
    } else if (/\.(py|mpy|json|bin)$/.test(entry.name)) {
      micropython.FS.writeFile(target, fs.readFileSync(source));
    }
  }
}

for (const mount of mounts) {
  const [from, to] = mount.split("=");
  copy(from, to);
}

try {
  for (const part of fs.readFileSync(script, "utf8").split(PART)) {
    micropython.runPython(part);
    micropython.runPython("import gc\ngc.collect()");
  }
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
