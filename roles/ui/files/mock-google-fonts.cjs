#!/usr/bin/env node
/**
 * Runs a Next.js build whose `next/font/google` fonts come from a local directory instead of Google.
 *
 *     node mock-google-fonts.cjs --fonts DIR --web WEBDIR -- npm run build
 *
 * DIR holds unpacked fontsource packages of npm (`@fontsource-variable/inter`, `@fontsource/inter`, …), at
 * any depth: each is a folder with `metadata.json`, `unicode.json` and `files/*.woff2`. WEBDIR is the Next.js
 * project, its node_modules installed. The command runs in WEBDIR; its exit status is ours.
 *
 * How it works. Next reads a module named by NEXT_FONT_GOOGLE_MOCKED_RESPONSES, an object from the exact URL
 * of Google's style sheet to its text, and then fetches the font files that the text names. Its two bundlers
 * do this differently (read in next 15.5.9 and 16.1.6):
 *
 * - webpack (default up to Next 15) looks the URL up in the live object. Of a font file it takes an absolute
 *   path only; an http URL it would "download" as the URL's own characters: a broken font without an error.
 * - turbopack (default from Next 16) turns the object into JSON first, and fetches every font file over HTTP;
 *   a file path is an error.
 *
 * So the module names paths, and its `toJSON` the same sheets with URLs of a loopback server that lives as
 * long as the command. The URLs of the sheets are computed by Next's own functions from the font calls found
 * in the sources: Next demands literal arguments there, so reading them is enough.
 *
 * No dependencies; Node 18 or later.
 */
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const vm = require("node:vm");
const { spawn } = require("node:child_process");

const USAGE = "usage: mock-google-fonts.cjs --fonts DIR --web WEBDIR -- COMMAND [ARGUMENT …]";
const SOURCE = /\.(?:[cm]?[jt]sx?)$/;
const SKIPPED = new Set(["node_modules", ".next", ".git", "public", "out", "dist"]);

/** A problem the operator can act on: printed as one line, without a stack. */
class Problem extends Error {}

/** `--fonts DIR --web DIR -- COMMAND…` as {fonts, web, command}, both directories absolute. */
function parseArguments(argv) {
  const split = argv.indexOf("--");
  const command = split < 0 ? [] : argv.slice(split + 1);
  const options = {};
  const head = split < 0 ? argv : argv.slice(0, split);
  for (let i = 0; i < head.length; i += 2) options[head[i]] = head[i + 1];
  const { "--fonts": fonts, "--web": web, ...unknown } = options;
  if (!fonts || !web || command.length === 0 || Object.keys(unknown).length > 0) throw new Problem(USAGE);
  return { fonts: path.resolve(fonts), web: path.resolve(web), command };
}

/** All files below `directory` whose folders are not skipped and for which `wanted(name)` holds. */
function* walk(directory, wanted, skipped = SKIPPED) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) yield* walk(full, wanted, skipped);
    } else if (wanted(entry.name)) yield full;
  }
}

/** The font packages below `directory`: Map of family name → {id, files, ranges}. */
function findPackages(directory) {
  const packages = new Map();
  for (const file of walk(directory, (name) => name === "metadata.json", new Set())) {
    const folder = path.dirname(file);
    const unicode = path.join(folder, "unicode.json");
    if (!fs.existsSync(unicode) || !fs.existsSync(path.join(folder, "files"))) continue;
    const { id, family } = JSON.parse(fs.readFileSync(file, "utf8"));
    const known = packages.get(family) ?? { id, files: new Map(), ranges: {} };
    Object.assign(known.ranges, JSON.parse(fs.readFileSync(unicode, "utf8")));
    for (const woff2 of fs.readdirSync(path.join(folder, "files"))) {
      if (woff2.endsWith(".woff2")) known.files.set(woff2, path.join(folder, "files", woff2));
    }
    packages.set(family, known);
  }
  return packages;
}

/** The text of the balanced (…) that starts at `open` in `source`, without its parentheses. */
function balanced(source, open) {
  const skip = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\/|[()]/g;
  let depth = 0;
  skip.lastIndex = open;
  for (let token = skip.exec(source); token; token = skip.exec(source)) {
    if (token[0] === "(") depth += 1;
    else if (token[0] === ")") depth -= 1;
    if (depth === 0) return source.slice(open + 1, token.index);
  }
  return undefined;
}

/** The calls of `next/font/google` functions in one source file, as [{functionName, argument}]. */
function findCalls(source) {
  const calls = [];
  const imports = /import\s*\{([^}]*)\}\s*from\s*["'](?:next|@next)\/font\/google["']/g;
  for (const [, names] of source.matchAll(imports)) {
    for (const clause of names.split(",").map((name) => name.trim())) {
      const [functionName, local = functionName] = clause.split(/\s+as\s+/);
      if (!/^[A-Za-z_$][\w$]*$/.test(local) || clause.startsWith("type ")) continue;
      for (const call of source.matchAll(new RegExp(`(?<![\\w$.])${local.replace(/\$/g, "\\$")}\\s*\\(`, "g"))) {
        const text = balanced(source, call.index + call[0].length - 1);
        if (text === undefined) continue;
        // A literal by Next's own rule ("values must be explicitly written literals"); an empty
        // context gives anything else nothing to reach.
        const argument = vm.runInNewContext(`(${text.trim().replace(/,$/, "") || "undefined"})`, {}, { timeout: 1000 });
        calls.push({ functionName, argument: structuredClone(argument) });
      }
    }
  }
  return calls;
}

/** Next's own functions of this project that turn a font call into the URL of Google's style sheet. */
function loadNext(web) {
  let root;
  try {
    root = path.dirname(require.resolve("next/package.json", { paths: [web] }));
  } catch {
    throw new Problem(`${web}: no next in node_modules: run npm ci first`);
  }
  const google = path.join(root, "dist/compiled/@next/font/dist/google");
  return {
    ...require(path.join(google, "validate-google-font-function-call.js")),
    ...require(path.join(google, "get-font-axes.js")),
    ...require(path.join(google, "get-google-fonts-url.js")),
  };
}

/** The style sheet's URL and what it must offer: {url, family, weights, styles, axes, display}. */
function describeSheet(next, { functionName, argument }) {
  const font = next.validateGoogleFontFunctionCall(functionName, argument ?? {});
  const axes = next.getFontAxes(font.fontFamily, font.weights, font.styles, font.selectedVariableAxes);
  return {
    url: next.getGoogleFontsUrl(font.fontFamily, axes, font.display),
    family: font.fontFamily,
    // A range in the URL's own notation ("100..900") becomes CSS's ("100 900").
    weights: (axes.wght ?? ["400"]).map((weight) => weight.replace("..", " ")),
    styles: font.styles,
    axes: font.selectedVariableAxes ?? [],
    display: font.display,
  };
}

/** The package's file for one face: the static weight where there is one, else the variable font. */
function chooseFile({ id, files }, subset, weight, style, axes) {
  const wanted = axes.length > 0 ? ["full", "standard", axes.join("-").toLowerCase()] : [];
  const kinds = [...wanted, weight, "wght", "standard", "full", "400"];
  return kinds.map((kind) => `${id}-${subset}-${kind}-${style}.woff2`).find((name) => files.has(name));
}

/** The sheet's @font-face rules as [{subset, file, rule(source)}]: one per style, weight and subset. */
function faces(sheet, fontPackage) {
  const found = [];
  for (const style of sheet.styles) {
    for (const weight of sheet.weights) {
      for (const [subset, range] of Object.entries(fontPackage.ranges)) {
        const file = chooseFile(fontPackage, subset, weight, style, sheet.axes);
        if (file) found.push({ subset, file, style, weight, range });
      }
    }
  }
  if (found.length === 0) {
    throw new Problem(`${sheet.family}: no file for ${sheet.styles} ${sheet.weights} among the fonts given`);
  }
  return found;
}

/**
 * The text of a style sheet as Google writes it; `source(file)` says where a file is.
 *
 * Next reads it line by line: a comment names the subset of the face below it (which decides preloading),
 * the family is in single quotes, and `src: url(…)` stands on one line.
 */
function styleSheet(sheet, fontFaces, source) {
  return fontFaces
    .map((face) =>
      [
        `/* ${face.subset} */`,
        "@font-face {",
        `  font-family: '${sheet.family}';`,
        `  font-style: ${face.style};`,
        `  font-weight: ${face.weight};`,
        `  font-display: ${sheet.display};`,
        `  src: url(${source(face.file)}) format('woff2');`,
        `  unicode-range: ${face.range};`,
        "}",
        "",
      ].join("\n"),
    )
    .join("");
}

/** What this project asks Google for: [{sheet, fontPackage, fontFaces}], one per distinct URL. */
function plan(web, packages) {
  const next = loadNext(web);
  const sheets = new Map();
  for (const file of walk(web, (name) => SOURCE.test(name))) {
    const source = fs.readFileSync(file, "utf8");
    if (!source.includes("/font/google")) continue;
    for (const call of findCalls(source)) {
      const sheet = describeSheet(next, call);
      sheets.set(sheet.url, sheet);
    }
  }
  const missing = [...new Set([...sheets.values()].map((sheet) => sheet.family))].filter(
    (family) => !packages.has(family),
  );
  if (missing.length > 0) {
    const remedy = missing.map((family) => `@fontsource-variable/${family.toLowerCase().replace(/ /g, "-")}`);
    throw new Problem(`no font files for ${missing.join(", ")}: add npm's ${remedy.join(", ")} to --fonts`);
  }
  return [...sheets.values()].map((sheet) => {
    const fontPackage = packages.get(sheet.family);
    return { sheet, fontPackage, fontFaces: faces(sheet, fontPackage) };
  });
}

/** Serves exactly the given files (Map name → path) on a free loopback port; resolves to the server. */
function serve(files) {
  const server = http.createServer((request, response) => {
    const file = files.get(decodeURIComponent(request.url.slice(1)));
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    const bytes = fs.readFileSync(file);
    response.writeHead(200, { "Content-Type": "font/woff2", "Content-Length": bytes.length }).end(bytes);
  });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** Writes the module that NEXT_FONT_GOOGLE_MOCKED_RESPONSES names into a folder of its own. */
function writeModule(entries, base) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "next-fonts-"));
  const text = (source) =>
    JSON.stringify(
      Object.fromEntries(
        entries.map(({ sheet, fontPackage, fontFaces }) => [
          sheet.url,
          styleSheet(sheet, fontFaces, (file) => source(fontPackage, file)),
        ]),
      ),
    );
  const byPath = text((fontPackage, file) => fontPackage.files.get(file));
  const byUrl = text((_, file) => `${base}/${file}`);
  const file = path.join(folder, "responses.cjs");
  fs.writeFileSync(
    file,
    `const byUrl = ${byUrl};\nmodule.exports = Object.defineProperty(${byPath}, "toJSON", { value: () => byUrl });\n`,
  );
  return { folder, file };
}

/** Runs the command and resolves to its exit status; SIGTERM and SIGINT are passed on to it. */
function run(command, cwd, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd, env, stdio: "inherit" });
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    child.on("error", reject);
    child.on("exit", (status, signal) => resolve(signal ? 128 + os.constants.signals[signal] : status));
  });
}

async function main() {
  const { fonts, web, command } = parseArguments(process.argv.slice(2));
  const entries = plan(web, findPackages(fonts));
  const served = new Map();
  for (const { fontPackage, fontFaces } of entries) {
    for (const { file } of fontFaces) served.set(file, fontPackage.files.get(file));
  }
  const server = await serve(served);
  const base = `http://127.0.0.1:${server.address().port}`;
  const module_ = writeModule(entries, base);
  for (const { sheet, fontFaces } of entries) {
    console.log(`fonts: ${sheet.family}: ${fontFaces.length} local files stand for ${sheet.url}`);
  }
  // A company proxy in the environment must not be asked for our loopback address.
  const direct = [process.env.NO_PROXY || process.env.no_proxy, "127.0.0.1"].filter(Boolean).join(",");
  try {
    return await run(command, web, {
      ...process.env,
      NO_PROXY: direct,
      no_proxy: direct,
      NEXT_FONT_GOOGLE_MOCKED_RESPONSES: module_.file,
    });
  } finally {
    server.closeAllConnections();
    server.close();
    fs.rmSync(module_.folder, { recursive: true, force: true });
  }
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error(error instanceof Problem ? `mock-google-fonts: ${error.message}` : error);
    process.exit(1);
  },
);
