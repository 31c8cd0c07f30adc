import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
// @ts-expect-error a list without types
import unstableModules from "../../scripts/unstable-effect.cjs"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What the layer check says about a project of these files: `rule: file`. */
const violations = (files: Record<string, string>): string[] => {
  const folder = mkdtempSync(join(tmpdir(), "warren-layers-"))
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(folder, dirname(file)), { recursive: true })
      writeFileSync(join(folder, file), text)
    }
    for (const file of ["tsconfig.json", "package.json"]) cpSync(join(root, file), join(folder, file))
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    const folders = readdirSync(folder).filter((name) => name === "src" || name === "actors" || name === "examples")
    const args = ["--config", join(root, ".dependency-cruiser.cjs"), "--output-type", "json", ...folders]
    const options = { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024, stdio: "pipe" } as const
    const text = (() => {
      try {
        return execFileSync(join(root, "node_modules/.bin/depcruise"), args, options)
      } catch (error) {
        return (error as { stdout: string }).stdout
      }
    })()
    const found: { rule: { name: string }; from: string }[] = JSON.parse(text).summary.violations
    return found.map(({ rule, from }) => `${rule.name}: ${from}`).sort()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

it("the layer check names every forbidden import", () => {
  expect(
    violations({
      "src/index.ts": "export {}",
      "src/wire/names.ts": 'import "../messaging/outbox.ts"',
      "src/wire/address.ts": 'import "../broker/broker.ts"',
      "src/messaging/outbox.ts": 'import "rabbitmq-client"; import "xstate"; import "../index.ts"',
      "src/broker/broker.ts": 'import "effect/Graph"; import "effect/http"; import "zod"',
      "src/broker/embedded/queue.ts": 'import "../rabbitmq/link.ts"',
      "src/broker/rabbitmq/link.ts": 'import "rabbitmq-client"',
      "src/actor/cell.ts": 'import "./self.ts"',
      "src/actor/self.ts": 'import "./cell.ts"',
      "examples/inside.ts": 'import "../src/wire/names.ts"',
      "actors/relative.ts": 'import "../src/index.ts"',
    }),
  ).toEqual([
    "brokers-do-not-know-each-other: src/broker/embedded/queue.ts",
    "messaging-imports-only-lower-layers: src/messaging/outbox.ts",
    "no-cycles: src/actor/cell.ts",
    "no-development-packages: src/broker/broker.ts",
    "only-stable-effect: src/broker/broker.ts",
    "only-stable-effect: src/broker/broker.ts",
    "rabbitmq-client-stays-behind-the-port: src/messaging/outbox.ts",
    "users-say-warren: actors/relative.ts",
    "users-say-warren: examples/inside.ts",
    "users-stand-outside: examples/inside.ts",
    "wire-imports-only-lower-layers: src/wire/address.ts",
    "wire-imports-only-lower-layers: src/wire/names.ts",
    "xstate-decides-in-charts: src/messaging/outbox.ts",
  ])
})

it("the layer check lets every allowed import pass", () => {
  expect(
    violations({
      "src/index.ts": 'import "./messaging/outbox.ts"',
      "src/wire/names.ts": 'import "effect"; import "effect/Stream"; import "effect/testing"',
      "src/messaging/outbox.ts": 'import "../wire/names.ts"; import type { Uuid } from "uuid"',
      "src/charts/connection.ts": 'import "xstate"',
      "src/actor/machine.ts": 'import "xstate"; import "../charts/connection.ts"',
      "src/broker/rabbitmq/link.ts": 'import "rabbitmq-client"',
      "examples/hello.ts": 'import "warren"; import "zod"',
    }),
  ).toEqual([])
})

it("src takes no module out of the effect barrel that is not marked stable", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  )
  const taken = files.flatMap((file) => {
    const text = readFileSync(join(root, "src", file), "utf8")
    const names = [...text.matchAll(/import (?:type )?\{([^}]*)\} from "effect"/g)].flatMap(([, list]) =>
      list!.split(","),
    )
    return names.map(
      (name) =>
        [
          file,
          name
            .trim()
            .replace(/^type /, "")
            .split(" as ")[0]!,
        ] as const,
    )
  })
  expect(taken.length).toBeGreaterThan(0)
  expect(taken.filter(([, name]) => (unstableModules as string[]).includes(name))).toEqual([])
})
