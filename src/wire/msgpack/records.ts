// The shapes that batches from outside bring, and how objects of them are made.
//
// R1. A key is only ever a name of an own property: `__proto__` sets no prototype.
// R2. Shapes are known by their bytes and remembered, but never more than a bounded number of them; an object of a shape
//     that is not remembered, or may not be compiled, is made key by key.

/** What an object of a shape takes its values from. */
export interface Source {
  read(): unknown
}

/** Shapes that are remembered between batches. */
const maxRemembered = 1024
/** Shapes that are ever compiled. */
const maxCompiled = 512
/** Objects of one shape before it is compiled. */
const worthCompiling = 100

export class Shape {
  readonly keys: ReadonlyArray<string>
  #made = 0
  #compiled: ((source: Source) => object) | undefined

  constructor(keys: ReadonlyArray<string>) {
    this.keys = keys
  }

  make(source: Source): object {
    if (this.#compiled !== undefined) return this.#compiled(source)
    if (++this.#made === worthCompiling) this.#compiled = compile(this.keys)
    const object: Record<string, unknown> = {}
    for (const key of this.keys) set(object, key, source.read())
    return object
  }
}

export const set = (object: Record<string, unknown>, key: string, value: unknown): void => {
  if (key !== "__proto__") object[key] = value
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}

let compiled = 0
/** An object literal is several times faster than setting keys one by one. */
const compile = (keys: ReadonlyArray<string>): ((source: Source) => object) | undefined => {
  if (compiled >= maxCompiled || keys.includes("__proto__")) return undefined
  try {
    const fields = keys.map((key) => `${JSON.stringify(key)}: source.read()`)
    const made = new Function("source", `return { ${fields.join(", ")} }`) as (source: Source) => object
    compiled++
    return made
  } catch {
    compiled = maxCompiled // code from strings is not allowed in this process
    return undefined
  }
}

const remembered = new Map<string, Shape>()

/** @param bytes the definition, a character for a byte. @param keys called only when it is new. */
export const shapeOf = (bytes: string, keys: () => ReadonlyArray<string>): Shape => {
  const known = remembered.get(bytes)
  if (known !== undefined) return known
  const shape = new Shape(keys())
  if (remembered.size >= maxRemembered) remembered.clear()
  remembered.set(bytes, shape)
  return shape
}
