// Writes public/meta.json: what was built, from which commit, when. It makes every build different.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("..", import.meta.url);

function commit() {
  try {
    const options = { cwd: root, stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" };
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], options).trim();
  } catch {
    return "unknown";
  }
}

const { name, version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const meta = {
  appName: name,
  version,
  commit: commit(),
  timestamp: new Date().toISOString(),
  environmentRole: process.env.ENVIRONMENT_ROLE || "dev",
  nodeVersion: process.version,
};
writeFileSync(new URL("public/meta.json", root), `${JSON.stringify(meta, null, 2)}\n`);
console.log(`[meta] ${version} (${meta.commit})`);
