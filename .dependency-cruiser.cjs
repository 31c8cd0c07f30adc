// Which folder may import which, as `npm test` checks it. The layers are those of the design: imports go only downward.

const unstable = require("./scripts/unstable-effect.cjs")

/** Folders of src, lowest layer first. Folders of one layer do not import each other. */
const layers = [
  ["protocol"],
  ["wire", "broker", "supervision", "charts"],
  ["messaging"],
  ["presence", "clique", "streams", "events", "actions", "reminders"],
  ["actor"],
  ["system"],
  ["cli", "launch", "codegen", "observe"],
]

/** Only these layers stand at the rim: they may use the command line and HTTP modules of effect. */
const rim = layers.at(-1)

const downward = layers.flatMap((folders, level) =>
  folders.map((folder) => {
    const higher = layers.slice(level).flat()
    const barred = higher.filter((name) => name !== folder)
    return {
      name: `${folder}-imports-only-lower-layers`,
      severity: "error",
      comment: "Imports go only downward; siblings of one layer do not know each other.",
      from: { path: `^src/${folder}/` },
      to: { path: [`^src/(${barred.join("|")})/`, "^src/[^/]+$"] },
    }
  }),
)

const rule = (name, comment, from, to) => ({ name, severity: "error", comment, from, to })

module.exports = {
  forbidden: [
    ...downward,
    rule(
      "no-cycles",
      "A cycle has no lower end. Types alone may refer to each other: nothing is loaded for them.",
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    ),
    rule(
      "rabbitmq-client-stays-behind-the-port",
      "Only src/broker/rabbitmq may import rabbitmq-client.",
      { path: "^(src|actors|examples)/", pathNot: "^src/broker/rabbitmq/" },
      { path: "(^|node_modules/)rabbitmq-client(/|$)" },
    ),
    rule(
      "xstate-decides-in-charts",
      "Only src/charts and src/actor/machine.ts may import xstate.",
      { path: "^src/", pathNot: "^src/(charts/|actor/machine\\.ts$)" },
      { path: "(^|node_modules/)xstate(/|$)" },
    ),
    rule(
      "brokers-do-not-know-each-other",
      "The embedded broker and the RabbitMQ one share the port, nothing else.",
      { path: "^src/broker/(rabbitmq|embedded)/" },
      { path: "^src/broker/(rabbitmq|embedded)/", pathNot: "^src/broker/$1/" },
    ),
    rule(
      "only-stable-effect",
      "Runtime code uses only the modules of effect that are marked stable. The decoder compiler is the one exception.",
      { path: "^src/", pathNot: `^src/(${rim.join("|")})/` },
      {
        path: `node_modules/effect/(dist|src)/(${unstable.join("|")})\\.`,
        pathNot: "/schema/SchemaJITCompiler\\.",
      },
    ),
    rule(
      "users-stand-outside",
      "actors/ and examples/ are written on the public face: they import `warren`, never a file of src, test or scripts.",
      { path: "^(actors|examples)/" },
      { path: "^(src|test|scripts)/", pathNot: "^src/(index|effect|testing)\\.ts$" },
    ),
    rule(
      "users-say-warren",
      "actors/ and examples/ name the package, as their readers would.",
      { path: "^(actors|examples)/" },
      { path: "^src/", dependencyTypesNot: ["aliased"] },
    ),
    rule(
      "no-development-packages",
      "What we publish imports only its own dependencies.",
      { path: "^src/" },
      { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    ),
    rule(
      "src-stands-alone",
      "Nothing we publish knows its tests.",
      { path: "^src/" },
      { path: "^(test|scripts|actors|examples)/" },
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
}
