// The modules of effect that do not call themselves stable in their header, such as `Graph` or `cli/Command`.

const { readdirSync, readFileSync } = require("node:fs")
const { join } = require("node:path")

const source = join(__dirname, "../node_modules/effect/src")
const isModule = (file) => /^[^.]+\.ts$/.test(file) && file !== "index.ts" && !/(^|\/)internal\//.test(file)
const headerOf = (file) => readFileSync(join(source, file), "utf8").split("\nimport ")[0]

module.exports = readdirSync(source, { recursive: true })
  .filter((file) => isModule(file) && !headerOf(file).includes("@stability stable"))
  .map((file) => file.slice(0, -".ts".length))
