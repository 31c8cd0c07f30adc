// `npm run build`: compiles src to dist, and looks whether what came out can be imported.

import { checks } from "./test/checks.ts"
import { runCheck } from "./test/run.ts"

const build = checks.find(({ name }) => name === "build")!
process.exitCode = (await runCheck(build)).failed === 0 ? 0 : 1
