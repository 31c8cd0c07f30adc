// No `any` in what users see: every type that the faces export is looked at by the compiler, in the declarations that
// are published.

import { fileURLToPath } from "node:url"
import ts from "typescript"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const faces = ["index", "effect", "testing"] as const

/** The declarations of all of src, as the build writes them, in memory. */
const emit = (): ReadonlyMap<string, string> => {
  const config = ts.getParsedCommandLineOfConfigFile(
    `${root}tsconfig.build.json`,
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => {},
    },
  )!
  const options = { ...config.options, emitDeclarationOnly: true, sourceMap: false }
  const files = new Map<string, string>()
  const program = ts.createProgram(
    faces.map((face) => `${root}src/${face}.ts`),
    options,
  )
  program.emit(undefined, (path, text) => void files.set(path, text), undefined, true)
  return files
}

/** `any` as a type, where it stands in a declaration: file:line and the line. */
const anys = (path: string, text: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const lines: Array<string> = []
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      lines.push(`${path.split("/dist/")[1]}: ${text.split("\n")[line]?.trim()}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return lines
}

/** The declarations that a face reaches: its own, and those they import. */
const reached = (files: ReadonlyMap<string, string>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { fileName } of ts.preProcessFile(files.get(path) ?? "").importedFiles) {
      if (fileName.startsWith(".")) visit(new URL(fileName.replace(/\.[jt]s$/, ".d.ts"), `file://${path}`).pathname)
    }
  }
  for (const face of faces) visit(`${root}dist/${face}.d.ts`)
  return seen
}

describe("the published declarations", () => {
  it("hold no `any`", { timeout: 60_000 }, () => {
    const files = emit()
    const paths = [...reached(files)]
    expect(paths.length, "the faces reach the declarations they re-export").toBeGreaterThan(20)
    expect(paths.filter((path) => !files.has(path))).toStrictEqual([])
    expect(paths.flatMap((path) => anys(path, files.get(path)!))).toStrictEqual([])
  })
})
