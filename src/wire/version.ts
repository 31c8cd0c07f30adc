// The version of this package, as nodes tell it to each other. A test holds it against package.json.

export const warrenVersion = "0.1.0"
