// Counts the words of text files through a supervised pool of actors. One of them crashes on the way; the total is exact.
//   npm start -- [--broker embedded|rabbitmq|amqp://...] [--workers N] [--json] [FILE...]
//
// Exits with 0 when every word is counted, 2 when the command line makes no sense, 1 when anything else went wrong.

import { fileURLToPath } from "node:url"
import { BadArguments, readArguments, usage } from "./count-words/arguments.ts"
import { Display } from "./count-words/display.ts"
import { findFiles } from "./count-words/files.ts"
import { closing, document, table } from "./count-words/report.ts"
import { run } from "./count-words/run.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

/** npm changes to the folder of the package; file names are meant from where it was called. */
const here = (): string => (process.env.npm_lifecycle_event === "start" && process.env.INIT_CWD) || process.cwd()

const main = async (): Promise<void> => {
  const options = readArguments(process.argv.slice(2))
  if (options.help) return console.log(usage)
  const sources = await (options.files.length === 0 ? findFiles(["README.md"], root) : findFiles(options.files, here()))
  const terminal = process.stdout.isTTY === true
  const display = new Display({
    write: options.json ? () => {} : (text) => void process.stdout.write(text),
    terminal,
    colours: terminal && !process.env.NO_COLOR,
  })
  const report = await run(options, sources, display)
  if (options.json) return console.log(JSON.stringify(document(report), undefined, 2))
  display.line()
  for (const row of table(report.files)) display.line(row)
  display.line()
  display.line(closing(report))
}

await main().catch((error: unknown) => {
  console.error(`count-words: ${error instanceof Error ? error.message : String(error)}`)
  if (error instanceof BadArguments) console.error(`\n${usage}`)
  process.exitCode = error instanceof BadArguments ? 2 : 1
})
