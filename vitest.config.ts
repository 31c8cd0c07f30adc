import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** A suite is a folder of test/. `files` of it run at a time: two cores are enough for one broker under test. */
const suite = (name: string, groupOrder: number, files: number | undefined, seconds: number, broker: boolean) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    ...(files !== undefined && { maxWorkers: files }),
    sequence: { groupOrder },
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 3000,
    ...(broker && { globalSetup: here("./test/setup/broker.ts") }),
  },
})

export default defineConfig({
  resolve: {
    alias: [
      { find: /^warren$/, replacement: here("./src/index.ts") },
      { find: /^warren\/(effect|testing)$/, replacement: here("./src/$1.ts") },
    ],
  },
  test: {
    pool: "forks",
    projects: [
      suite("unit", 0, undefined, 10, false),
      suite("contract", 1, 1, 30, true),
      suite("integration", 2, 1, 60, true),
      suite("docs", 3, 1, 60, true),
    ],
  },
})
