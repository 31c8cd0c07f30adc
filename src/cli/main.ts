#!/usr/bin/env node
// The program `warren`. It exits with 0 when it has done what it was told, 2 when the command line makes no sense, 1 when
// anything else went wrong.

import { BadArguments, type Look, readArguments, usage } from "./arguments.ts"
import { failure } from "./failure.ts"
import { look } from "./look.ts"
import { paintFor } from "./paint.ts"
import { psDocument, psText } from "./ps.ts"
import { treeDocument, treeText } from "./tree.ts"

const commands = { ps: [psText, psDocument], tree: [treeText, treeDocument] } as const

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const fail = (code: 1 | 2, message: string): void => {
  process.stderr.write(`warren: ${message}\n`)
  process.exitCode = code
}

const show = async (told: Look): Promise<void> => {
  const [text, document] = commands[told.command]
  const snapshot = await look(told)
  if (told.json) print(JSON.stringify(document(snapshot, told.filter), undefined, 2))
  else print(text(snapshot, told.filter, paintFor(process.stdout, process.env)))
}

// Who reads may have seen enough: `warren ps | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
})

try {
  const told = readArguments(process.argv.slice(2), process.env)
  if (told.command === "help") print(usage)
  else await show(told).catch((error: unknown) => fail(1, failure(error, told.broker)))
} catch (error) {
  if (!(error instanceof BadArguments)) throw error
  fail(2, `${error.message}\n\n${usage}`)
}
