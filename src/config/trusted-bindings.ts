/** The bindings that a person accepted on this machine, per folder: a repository alone cannot direct writes. */
import { join } from "node:path";
import * as v from "valibot";
import { readRegularFile, replaceFile } from "../shared/atomic-file.ts";
import { parseJson } from "../shared/json.ts";
import { editLock, type Folders } from "./settings.ts";

/** Keyed by the real path of the project's folder. */
const TrustedFile = v.record(v.string(), v.array(v.string()));
type TrustedFile = v.InferOutput<typeof TrustedFile>;

export class TrustedBindings {
  readonly #folders: Pick<Folders, "state">;

  constructor(folders: Pick<Folders, "state">) {
    this.#folders = folders;
  }

  get #path(): string {
    return join(this.#folders.state, "trusted-bindings.json");
  }

  /** @param root a real path */
  has(root: string, bindingRef: string): boolean {
    return parseTrusted(readRegularFile(this.#path))[root]?.includes(bindingRef) === true;
  }

  /** @param root a real path */
  add(root: string, bindingRef: string): void {
    if (this.has(root, bindingRef)) return;
    const transform = (current: Uint8Array | null): Uint8Array => {
      const all = parseTrusted(current);
      const accepted: TrustedFile = { ...all, [root]: [...(all[root] ?? []), bindingRef] };
      return Buffer.from(`${JSON.stringify(accepted, null, 2)}\n`);
    };
    replaceFile(this.#path, editLock(this.#folders), transform, { mode: 0o600 });
  }
}

/** A file that cannot be parsed accepts nothing: people are asked again. */
function parseTrusted(content: Uint8Array | null): TrustedFile {
  try {
    return v.parse(TrustedFile, content === null ? {} : parseJson(Buffer.from(content).toString("utf8")));
  } catch {
    return {};
  }
}
