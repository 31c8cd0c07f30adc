// Reads which package archive this machine uses out of its own apt sources (both file formats). Pure.

export interface AptSource {
  readonly uris: readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** The keyring, or the key itself, as it stands in the file. */
  readonly signedBy?: string
}

/** The one-line format: `deb [signed-by=/path] URI suite component...`. */
const parseList = (text: string): AptSource[] =>
  text.split("\n").flatMap((line) => {
    const [, options = "", uri, suite, components] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line) ?? []
    if (uri === undefined || suite === undefined || components === undefined) return []
    const signedBy = /signed-by=(\S+)/.exec(options)?.[1]
    return [{ uris: [uri], suites: [suite], components: components.trim().split(/\s+/), ...(signedBy && { signedBy }) }]
  })

/** The deb822 format: stanzas of `Field: value`, where a line that begins with a space continues the field above. */
const parseStanzas = (text: string): AptSource[] =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = new Map(
        [...stanza.matchAll(/^([\w-]+):(.*(?:\n[ \t].*)*)/gm)].map(([, name, value]) => [name!.toLowerCase(), value!]),
      )
      const words = (name: string) => (fields.get(name) ?? "").trim().split(/\s+/).filter(Boolean)
      if (fields.get("enabled")?.trim() === "no" || !words("types").includes("deb")) return []
      const signedBy = fields
        .get("signed-by")
        ?.trimEnd()
        .replace(/^[ \t]+/, "")
      return [
        {
          uris: words("uris"),
          suites: words("suites"),
          components: words("components"),
          ...(signedBy && { signedBy }),
        },
      ]
    })

export const parseSources = (fileName: string, text: string): AptSource[] =>
  fileName.endsWith(".sources") ? parseStanzas(text) : parseList(text)

/** The source of the distribution itself: the one that carries its code name from a mirror on the network. */
export const archiveOf = (sources: readonly AptSource[], codename: string): AptSource | undefined =>
  sources.find(
    ({ uris, suites, components }) =>
      suites.includes(codename) && components.includes("main") && uris.some((uri) => /^(https?|mirror)/.test(uri)),
  )

/** The same archive with another suite, in the deb822 format. */
export const stanzaFor = (archive: AptSource, suite: string): string =>
  [
    "Types: deb",
    `URIs: ${archive.uris.filter((uri) => /^(https?|mirror)/.test(uri)).join(" ")}`,
    `Suites: ${suite}`,
    `Components: ${archive.components.filter((name) => name === "main" || name === "universe").join(" ")}`,
    ...(archive.signedBy ? [`Signed-By: ${archive.signedBy}`] : []),
    "",
  ].join("\n")
