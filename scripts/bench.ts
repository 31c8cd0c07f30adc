// `npm run bench`: Warren beside its peers on one broker (docs/performance.md). Arguments: see bench/main.ts.
//
// It builds the package and the suite first, and runs what came out with plain Node: a loader that transpiles as it
// goes adds work to every closure, and the figures would be the loader's.

import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { describe, findBroker, NoBroker, startNode } from "./broker/index.ts"
// @ts-expect-error a plain script without types
import { installDependencies } from "./install.mjs"
import { checks } from "./test/checks.ts"
import { root, tool } from "./test/program.ts"
import { runCheck } from "./test/run.ts"

const say = (line: string): void => console.error(line)

/** The package, then the suite, which compiles against it. */
const built = async (): Promise<boolean> => {
  const build = checks.find(({ name }) => name === "build")!
  const suite = {
    name: "build of bench",
    programs: [
      [process.execPath, "-e", "fs.rmSync('bench/dist', { recursive: true, force: true })"],
      [tool("tsc"), "-p", "bench"],
    ],
  } as const
  return (await runCheck(build)).failed === 0 && (await runCheck(suite)).failed === 0
}

const main = async (): Promise<number> => {
  installDependencies(join(root, "bench"))
  if (!(await built())) return 1
  const source = await findBroker({ progress: say })
  say(`Using ${describe(source)}.`)
  await using node = await startNode(source)
  const env = { ...process.env, WARREN_BENCH_URL: node.url, WARREN_BENCH_BROKER: node.version }
  const suite = spawn(process.execPath, [join(root, "bench/dist/main.js"), ...process.argv.slice(2)], {
    env,
    stdio: "inherit",
  })
  // Ctrl-C reaches the suite by itself; we stay to stop the broker.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => suite.kill(signal))
  const [code] = (await once(suite, "exit")) as [number | null]
  return code ?? 1
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error instanceof NoBroker ? error.message : error)
  return 1
})
