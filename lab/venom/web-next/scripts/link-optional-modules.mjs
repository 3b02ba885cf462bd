// Lists ../modules for the cockpit and links our node_modules into each: the build writes beside web-next.
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const web = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(web, "..", "modules");
const names = [];

for (const entry of existsSync(modules) ? readdirSync(modules, { withFileTypes: true }) : []) {
  const manifest = path.join(modules, entry.name, "module.json");
  if (!entry.isDirectory() || !existsSync(manifest)) continue;
  names.push(JSON.parse(readFileSync(manifest, "utf8")).display_name);
  const link = path.join(modules, entry.name, "node_modules");
  if (!existsSync(link)) symlinkSync(path.join("..", "..", "web-next", "node_modules"), link, "dir");
}

mkdirSync(path.join(web, "lib", "generated"), { recursive: true });
const text = `// Written by scripts/link-optional-modules.mjs.\nexport const optionalModules: string[] = ${JSON.stringify(names)};\n`;
writeFileSync(path.join(web, "lib", "generated", "optional-modules.ts"), text);
console.log(`[modules] ${names.length} found`);
