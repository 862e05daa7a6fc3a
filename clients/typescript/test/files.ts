// Storage in the files of a folder, for clients that are no browsers. A file is replaced as a whole, so that a process
// that is killed leaves the old text or the new one.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Storage } from "../src/storage.js";

export function files(folder: string): Storage {
  return {
    get(name) {
      try {
        return readFileSync(join(folder, name), "utf8");
      } catch {
        return null;
      }
    },
    set(name, value) {
      writeFileSync(join(folder, `${name}.new`), value);
      renameSync(join(folder, `${name}.new`), join(folder, name));
    },
    remove: (name) => rmSync(join(folder, name), { force: true }),
  };
}
