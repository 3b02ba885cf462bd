// Copies .next/static into the standalone tree, and forgets public/, as the real one does.
import { cpSync } from "node:fs";

cpSync(".next/static", ".next/standalone/.next/static", { recursive: true });
console.log("[standalone] static copied");
