/** Holds the picture of the house: which room may import which, and which may touch the process. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
const SOURCES = join(ROOT, "src");
const ARCHITECTURE = readFileSync(join(ROOT, "docs", "architecture.md"), "utf8");

/** The rooms, or parts of rooms such as `shared/json`, that a room may import; `types` are edges that vanish when compiled. */
interface Rule {
  readonly imports: readonly string[];
  readonly types: readonly string[];
}

/** Room → its rule, as the table of docs/architecture.md tells. Every edge of it is in use. */
const ROOMS: ReadonlyMap<string, Rule> = new Map(
  [...ARCHITECTURE.matchAll(/^\| `([\w-]+)` *\|[^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, room = "", imports = "", types = ""]) => {
      return [room, { imports: names(imports), types: names(types) }];
    },
  ),
);

function names(list: string): readonly string[] {
  return list.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
}

/** Folders of the host by their place in the line of docs/architecture.md; imports go to the right or stay. */
const HOST_FOLDERS: ReadonlyMap<string, number> = new Map(
  (/`(http → [^`]+)`/.exec(ARCHITECTURE)?.[1] ?? "")
    .split(" → ")
    .flatMap((place, index) => names(place).map((folder) => [folder, index] as const)),
);

/** Files of the host that import none of its folders, and that every folder may import. */
const HOST_LEAVES: readonly string[] = ["check", "errors", "log"];

/** Files that read or write the process itself, and what of it. All others are handed what they need. */
const PROCESS: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["argv", "exit"],
  "shared/system.ts": ["arch", "cwd", "env", "exit", "getuid", "on", "platform"],
  "shared/io.ts": ["exit", "off", "once", "platform", "stderr", "stdin", "stdout"],
  // Bun's fetch takes its exceptions from the proxy from nowhere else.
  "shared/network.ts": ["env"],
  // What the operating system can do to a file depends on it and on the user.
  "shared/atomic-file.ts": ["getuid", "platform"],
};

/** One import of one of our files by another. */
interface Edge {
  /** Paths below `src`. */
  readonly from: string;
  readonly to: string;
  /** `types` vanishes when compiled; `lazy` is loaded when it is reached. */
  readonly kind: "static" | "lazy" | "types";
}

const files = [...new Bun.Glob("**/*.ts").scanSync({ cwd: SOURCES })]
  .map((file) => file.replaceAll("\\", "/"))
  .toSorted();
const texts = new Map(files.map((file) => [file, readFileSync(join(SOURCES, file), "utf8")]));

const transpiler = new Bun.Transpiler({ loader: "ts" });
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g;

/** Every import of a file as it is written, with what becomes of it when compiled. */
function importsOf(file: string): { readonly path: string; readonly kind: Edge["kind"] }[] {
  const text = texts.get(file) ?? "";
  const compiled = transpiler.scanImports(text);
  const written = new Set([...text.matchAll(IMPORT)].map(([, path = ""]) => path));
  for (const { path } of compiled) expect(written).toContain(path);
  return [...written].map((path) => {
    const kinds = compiled.filter((found) => found.path === path).map(({ kind }) => kind);
    if (kinds.length === 0) return { path, kind: "types" };
    return { path, kind: kinds.every((kind) => kind === "dynamic-import") ? "lazy" : "static" };
  });
}

const edges: Edge[] = files.flatMap((from) =>
  importsOf(from)
    .filter(({ path }) => path.startsWith("."))
    .map(({ path, kind }) => {
      const to = relative(SOURCES, join(SOURCES, dirname(from), path)).replaceAll("\\", "/");
      return { from, to, kind };
    }),
);

/** The room that a file below `src` belongs to: its folder, or the file itself. */
function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : file.replace(/\.ts$/, "");
}

const isInside = ({ to }: Edge): boolean => !to.startsWith("..");
const crossings = edges.filter((edge) => isInside(edge) && roomOf(edge.from) !== roomOf(edge.to));
const draw = ({ from, to, kind }: Edge): string => `${from} → ${to} (${kind})`;

/** The file belongs to a room or to a part of one: it is the file of that name or inside the folder. */
function isIn(file: string, place: string): boolean {
  return file === `${place}.ts` || file.startsWith(`${place}/`);
}

function allowed(room: string, kind: keyof Rule): readonly string[] {
  return ROOMS.get(room)?.[kind] ?? [];
}

describe("rooms", () => {
  test("every file is in a room of the table, and every room has a file", () => {
    expect([...new Set(files.map(roomOf))].toSorted()).toEqual([...ROOMS.keys()].toSorted());
  });

  test("no file imports what its room may not", () => {
    const strangers = crossings.filter(({ from, to, kind }) => {
      const own = roomOf(from);
      const places = [...allowed(own, "imports"), ...(kind === "types" ? allowed(own, "types") : [])];
      return !places.some((place) => isIn(to, place));
    });
    expect(strangers.map(draw)).toEqual([]);
  });

  test("every edge of the table is in use", () => {
    const unused = [...ROOMS.keys()].flatMap((room) => {
      const used = crossings.filter(({ from }) => roomOf(from) === room);
      const reaches = (other: string, isType: boolean): boolean =>
        used.some(({ to, kind }) => isIn(to, other) && (kind === "types") === isType);
      return [
        ...allowed(room, "imports").flatMap((other) => (reaches(other, false) ? [] : [`${room} → ${other}`])),
        ...allowed(room, "types").flatMap((other) =>
          reaches(other, true) ? [] : [`${room} → ${other} (types)`],
        ),
      ];
    });
    expect(unused).toEqual([]);
  });

  test("no room imports itself by way of others", () => {
    const next = new Map<string, Set<string>>();
    for (const { from, to } of crossings) {
      const reached = next.get(roomOf(from)) ?? new Set();
      next.set(roomOf(from), reached.add(roomOf(to)));
    }
    const cycles: string[] = [];
    const walk = (room: string, path: readonly string[]): void => {
      if (path.includes(room)) {
        cycles.push([...path.slice(path.indexOf(room)), room].join(" → "));
        return;
      }
      for (const other of next.get(room) ?? []) walk(other, [...path, room]);
    };
    for (const room of next.keys()) walk(room, []);
    expect(cycles).toEqual([]);
  });

  test("the folders of the host import in one direction", () => {
    const folderOf = (file: string): string => file.split("/")[1]?.replace(/\.ts$/, "") ?? "";
    const isFolder = (file: string): boolean => file.split("/").length > 2;
    const own = edges.filter(({ from, to }) => roomOf(from) === "host" && roomOf(to) === "host");
    const folders = files.filter((file) => roomOf(file) === "host" && isFolder(file)).map(folderOf);
    expect([...new Set(folders)].toSorted()).toEqual([...HOST_FOLDERS.keys()].toSorted());

    const backward = own.filter(({ from, to }) => {
      const [source, target] = [folderOf(from), folderOf(to)];
      if (HOST_LEAVES.includes(target)) return false;
      if (!isFolder(from)) return HOST_LEAVES.includes(source);
      return !isFolder(to) || (HOST_FOLDERS.get(target) ?? -1) < (HOST_FOLDERS.get(source) ?? 0);
    });
    expect(backward.map(draw)).toEqual([]);
  });

  test("only the commands that run a control plane load it, and only when they run", () => {
    expect(crossings.filter(({ to }) => roomOf(to) === "host").map(draw)).toEqual([
      "cli/commands/host/serve.ts → host/index.ts (lazy)",
      "cli/invocation.ts → host/index.ts (lazy)",
    ]);
  });

  test("commands, and the service behind them, are loaded when they run", () => {
    const early = edges.filter(
      ({ from, to, kind }) => kind === "static" && /^(main|cli)\.ts$/.test(from) && !to.startsWith("shared/"),
    );
    expect(early.map(draw)).toEqual([
      "cli.ts → cli/argv.ts (static)",
      "cli.ts → cli/hints.ts (static)",
      "cli.ts → cli/invocation.ts (static)",
    ]);
    expect(crossings.filter(({ from }) => from === "cli/invocation.ts").map(draw)).toContain(
      "cli/invocation.ts → service.ts (lazy)",
    );
  });

  test("the wire knows the model of the SDK and nothing else of it", () => {
    const reached = crossings.filter(({ from }) => roomOf(from) === "protocol").map(({ to }) => to);
    expect([...new Set(reached)]).toEqual(["sdk/model.ts"]);
  });

  test("nothing but the version comes from outside of the sources", () => {
    expect(edges.filter((edge) => !isInside(edge)).map(draw)).toEqual([
      "shared/version.ts → ../package.json (static)",
    ]);
  });
});

describe("habits", () => {
  test("no default exports", () => {
    const found = files.filter((file) => /\bexport\s+default\b|\bas\s+default\b/.test(texts.get(file) ?? ""));
    expect(found).toEqual([]);
  });

  test("only the rim touches the process", () => {
    const touched: Record<string, readonly string[]> = {};
    for (const [file, text] of texts) {
      const members = [...text.matchAll(/\bprocess\.(\w+)/g)].map(([, member = ""]) => member);
      if (members.length > 0) touched[file] = [...new Set(members)].toSorted();
    }
    expect(touched).toEqual(PROCESS);
  });

  test("only the entry point prints by itself", () => {
    expect(files.filter((file) => /\bconsole\.\w+\(/.test(texts.get(file) ?? ""))).toEqual(["main.ts"]);
  });
});
