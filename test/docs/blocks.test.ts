import { expect, it } from "vitest"
import { blocksOf, givesReason, npmScriptsIn } from "./blocks.ts"

const page = `# Title

\`\`\`ts
const a = 1
\`\`\`

\`\`\`ts no-run
// Not run here: it needs two machines.
const b = 2
\`\`\`

\`\`\`\`md
\`\`\`ts
inner
\`\`\`
\`\`\`\`

\`\`\`sh
npm test && npm run broker -- --version 4.3
npm install warren
\`\`\`
`

it("finds each block with its line, language and whether it runs, and none inside another", () => {
  const found = blocksOf("page.md", page)
  expect(found.map(({ place, language, run }) => [place, language, run])).toEqual([
    ["page.md:3", "ts", true],
    ["page.md:7", "ts", false],
    ["page.md:12", "md", true],
    ["page.md:18", "sh", true],
  ])
  expect(found[0]!.code).toBe("const a = 1\n")
})

it("knows a reason that readers can see", () => {
  const [plain, excused] = blocksOf("page.md", page)
  expect([plain!, excused!].map(givesReason)).toEqual([false, true])
})

it("takes package scripts, and nothing else, out of a shell block", () => {
  expect(npmScriptsIn(blocksOf("page.md", page)[3]!)).toEqual(["test", "broker"])
})
