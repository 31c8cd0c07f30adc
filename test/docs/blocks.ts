// Takes the fenced code blocks out of a Markdown page. Pure.
//
// ```ts            a program of its own: it must compile and exit with 0
// ```ts no-run     it must compile; its first line says why it is not run here: `// Not run here: ...`
// ```js            a program of its own
// ```sh            its npm commands must exist

export interface Block {
  /** `README.md:42`, the line of the opening fence. */
  readonly place: string
  readonly language: string
  readonly run: boolean
  readonly code: string
}

const fence = /^(\s*)(`{3,}|~{3,})[ \t]*([\w-]*)([^\n]*)\n([\s\S]*?)^\1\2[ \t]*$/gm

export const blocksOf = (page: string, text: string): Block[] =>
  [...text.matchAll(fence)].map((match) => ({
    place: `${page}:${text.slice(0, match.index + match[1]!.lastIndexOf("\n") + 1).split("\n").length}`,
    language: match[3]!,
    run: !match[4]!.split(/\s+/).includes("no-run"),
    code: match[5]!,
  }))

export const isTypeScript = ({ language }: Block): boolean => language === "ts" || language === "typescript"

export const isJavaScript = ({ language }: Block): boolean => language === "js" || language === "javascript"

/** Says in the page itself why it does not run. */
export const givesReason = ({ code }: Block): boolean => /^\s*\/\/ Not run here: \S/.test(code)

/** The package scripts that shell blocks call: `npm test`, `npm start`, `npm run name`. */
export const npmScriptsIn = ({ code }: Block): string[] =>
  [...code.matchAll(/\bnpm (?:run(?:-script)? ([\w:-]+)|(test|start)\b)/g)].map((match) => (match[1] ?? match[2])!)
