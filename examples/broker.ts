// `--broker rabbitmq`: the one place where the examples use the scripts of the repository they live in. Your own
// program does not need it: it names the broker it already has.

/** A broker for one run; disposing of it stops what was started. */
export interface RunningBroker extends AsyncDisposable {
  /** What `ActorSystem.start` takes. */
  readonly choice: string
  /** For people. */
  readonly title: string
}

/** The part of scripts/broker/index.ts that is used here. */
interface Scripts {
  readonly findBroker: (options: { readonly progress: (line: string) => void }) => Promise<unknown>
  readonly startNode: (source: unknown) => Promise<AsyncDisposable & { readonly url: string; readonly version: string }>
}

const nothingToStop = async (): Promise<void> => {}

/** @param progress is told, line by line, what takes time. */
export const openBroker = async (choice: string, progress: (line: string) => void): Promise<RunningBroker> => {
  if (choice !== "rabbitmq") {
    const title = choice === "embedded" ? "the embedded broker" : choice.replace(/\/\/[^@/]*@/, "//")
    return { choice, title, [Symbol.asyncDispose]: nothingToStop }
  }
  const scripts: Scripts = await import(new URL("../scripts/broker/index.ts", import.meta.url).href)
  const node = await scripts.startNode(await scripts.findBroker({ progress }))
  return {
    choice: node.url,
    title: `RabbitMQ ${node.version}`,
    [Symbol.asyncDispose]: () => Promise.resolve(node[Symbol.asyncDispose]()),
  }
}
