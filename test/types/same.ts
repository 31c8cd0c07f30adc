// For type tests: says at compile time whether two types are the same.

export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `same<A, B>(true)` compiles when A and B are the same type; `any` is only the same as `any`. */
export const same = <A, B>(_: Equal<A, B>): void => {}
