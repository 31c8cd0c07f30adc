import { expect, it } from "vitest"
import { archiveOf, parseSources, stanzaFor } from "../../scripts/broker/apt-sources.ts"
import { upstream } from "../../scripts/broker/debian.ts"

const stanzas = `# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`

it("finds the distribution's archive in the deb822 format, and not the security one or a disabled one", () => {
  const archive = archiveOf(parseSources("debian.sources", stanzas), "bookworm")
  expect(archive?.uris).toEqual(["http://mirror.example/debian"])
  expect(archive?.signedBy?.trim()).toBe("/usr/share/keyrings/debian.gpg")
})

it("finds it in the one-line format, and not on a CD", () => {
  const list = `# deb http://commented.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian bookworm main non-free # a remark
deb https://other.example/tool stable main`
  expect(archiveOf(parseSources("sources.list", list), "bookworm")).toEqual({
    uris: ["https://mirror.example/debian"],
    suites: ["bookworm"],
    components: ["main", "non-free"],
    signedBy: "/k.gpg",
  })
})

it("points the same archive, with the same key, at another suite", () => {
  const archive = archiveOf(parseSources("debian.sources", stanzas), "bookworm")!
  expect(stanzaFor(archive, "trixie").split("\n")).toEqual([
    "Types: deb",
    "URIs: http://mirror.example/debian",
    "Suites: trixie",
    "Components: main",
    "Signed-By: /usr/share/keyrings/debian.gpg",
    "",
  ])
})

it("keeps a key that stands in the file itself", () => {
  const text = "Types: deb\nURIs: http://m/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n"
  const archive = archiveOf(parseSources("a.sources", text), "sid")!
  expect(stanzaFor(archive, "sid")).toContain("Signed-By: \n -----BEGIN\n .\n abc\n")
})

it("reads RabbitMQ's version out of Debian's", () => {
  expect(["1:4.0.5-6+deb13u2", "3.10.8-1.1+deb12u1", "4.3.6~rc1-1"].map(upstream)).toEqual(["4.0.5", "3.10.8", "4.3.6"])
})
