/**
 * Compiles the standalone executables.
 *
 *   bun build.ts         this machine's, to dist/tracker
 *   bun build.ts --all   every target, to dist/tracker-<os>-<arch>[-musl][.exe], with dist/checksums.txt
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

/** Release name → Bun's compile target. x64 Linux is the baseline build: it also runs on CPUs without AVX2. */
const TARGETS = {
  "linux-x64": "bun-linux-x64-baseline",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64": "bun-linux-arm64",
  "darwin-arm64": "bun-darwin-arm64",
  "darwin-x64": "bun-darwin-x64",
  "windows-x64": "bun-windows-x64",
} as const satisfies Record<string, Bun.Build.CompileTarget>;

/** yaml names its CommonJS build for servers; the same code as an ES module loads in half the time. */
const yamlAsModule: Bun.BunPlugin = {
  name: "yaml as an ES module",
  setup: (build) => {
    const path = resolve("node_modules/yaml/browser/index.js");
    build.onResolve({ filter: /^yaml$/ }, () => ({ path }));
  },
};

/**
 * `splitting` keeps what a command does not need unloaded until it is imported.
 * Nothing is auto-loaded from the folder that the program runs in: it may be an
 * untrusted clone.
 */
async function compile(outfile: string, target?: Bun.Build.CompileTarget): Promise<string> {
  const result = await Bun.build({
    entrypoints: ["src/main.ts"],
    minify: true,
    bytecode: true,
    format: "esm",
    splitting: true,
    plugins: [yamlAsModule],
    compile: {
      ...(target === undefined ? {} : { target }),
      outfile,
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      // Most runs are over before compiled code would have paid; `main.ts` lifts this for the others.
      jitPolicy: 50,
    },
  });
  const [executable] = result.outputs;
  if (executable === undefined) throw new Error(`Nothing was built for ${target ?? "this machine"}.`);
  return executable.path;
}

mkdirSync("dist", { recursive: true });
if (process.argv.includes("--all")) {
  const checksums: string[] = [];
  for (const [name, target] of Object.entries(TARGETS)) {
    const file = `tracker-${name}${name.startsWith("windows") ? ".exe" : ""}`;
    const path = await compile(`dist/${file}`, target);
    checksums.push(`${new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex")}  ${file}\n`);
    console.log(`dist/${file}`);
  }
  writeFileSync("dist/checksums.txt", checksums.join(""));
  console.log("dist/checksums.txt");
} else {
  await compile("dist/tracker");
  console.log("dist/tracker");
}
