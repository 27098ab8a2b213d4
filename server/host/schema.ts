// Checks what arrives from a peer, field by field, against the type that it must have, and finds the
// byte strings in it. A schema is built from these parts; the two forms of a message (frames for
// channels, JSON for people) differ only in where the bytes go. What does not fit is a DecodeError.

import { type ByteString, DecodeError } from '../bytes.ts'

/** Takes bytes out of a message; gives what stands for them in the JSON. */
export type BytesOut = (bytes: Uint8Array) => unknown
/** The bytes for which something stands in the JSON. */
export type BytesIn = (placeholder: unknown) => Uint8Array

export type Schema<T> = {
  /** No bytes inside: the value is its own JSON. */
  readonly isPlain: boolean
  readonly isOptional?: true
  /** The JSON of a value; its bytes go to `out` in the order of the schema. */
  encode(value: T, out: BytesOut): unknown
  /** The value in freshly parsed JSON, which it may reuse and change. */
  decode(raw: unknown, bytes: BytesIn): T
}

type Fields<T> = { readonly [K in keyof T]-?: Schema<T[K]> }
type Tag = 'type' | 'op'
type VariantsOf<T extends Record<K, string>, K extends Tag> = {
  readonly [V in T[K]]: Schema<Omit<Extract<T, Record<K, V>>, K>>
}

const identity = (value: unknown): unknown => value

function plain<T>(decode: (raw: unknown) => T): Schema<T> {
  return { isPlain: true, encode: identity, decode }
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Schema<number> {
  return plain(raw => {
    if (typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max) return raw
    throw new DecodeError(`not a whole number from ${min} to ${max}`)
  })
}

export const uint = integer(0, Number.MAX_SAFE_INTEGER)
export const uint32 = integer(0, 2 ** 32 - 1)
/** A configuration's number, or −1: before the first. */
export const uintOrBefore = integer(-1, Number.MAX_SAFE_INTEGER)

export const flag: Schema<boolean> = plain(raw => {
  if (typeof raw === 'boolean') return raw
  throw new DecodeError('not a boolean')
})

/** A text of at most `lengthMax` UTF-16 units that matches `pattern`. */
export function text(lengthMax: number, pattern?: RegExp): Schema<string> {
  return plain(raw => {
    if (typeof raw !== 'string' || raw.length > lengthMax) throw new DecodeError('not a short text')
    if (pattern !== undefined && !pattern.test(raw)) throw new DecodeError(`not ${pattern}`)
    return raw
  })
}

/** Characters 0–255. JSON keeps them exactly. */
export function byteString(lengthMax: number): Schema<ByteString> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all 256 byte values are meant.
  return text(lengthMax, /^[\x00-\xff]*$/)
}

export function oneOf<T extends string>(...values: readonly T[]): Schema<T> {
  return plain(raw => {
    const found = values.find(value => value === raw)
    if (found === undefined) throw new DecodeError(`not one of ${values.join(', ')}`)
    return found
  })
}

/** Bytes of any length that the message has room for. */
export const bytes: Schema<Uint8Array> = {
  isPlain: false,
  encode: (value, out) => out(value),
  decode: (raw, take) => take(raw),
}

export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    isPlain: inner.isPlain,
    encode: (value, out) => (value === null ? null : inner.encode(value, out)),
    decode: (raw, take) => (raw === null ? null : inner.decode(raw, take)),
  }
}

/** For a field of an object that may be missing. */
export function optional<T>(inner: Schema<T>): Schema<T> {
  return { ...inner, isOptional: true }
}

export function list<T>(inner: Schema<T>, lengthMax: number): Schema<readonly T[]> {
  return {
    isPlain: inner.isPlain,
    encode: (values, out) =>
      inner.isPlain ? values : values.map(value => inner.encode(value, out)),
    decode(raw, take) {
      if (!Array.isArray(raw) || raw.length > lengthMax) throw new DecodeError('not a short list')
      const values: unknown[] = raw
      for (let index = 0; index < values.length; index++) {
        values[index] = inner.decode(values[index], take)
      }
      return values as T[]
    },
  }
}

export function pair<A, B>(first: Schema<A>, second: Schema<B>): Schema<readonly [A, B]> {
  return {
    isPlain: first.isPlain && second.isPlain,
    encode: ([a, b], out) => [first.encode(a, out), second.encode(b, out)],
    decode(raw, take) {
      if (!Array.isArray(raw) || raw.length !== 2) throw new DecodeError('not a pair')
      return [first.decode(raw[0], take), second.decode(raw[1], take)]
    },
  }
}

/** An object used as a map, with keys that match `pattern`. For values without bytes. */
export function mapping<T>(pattern: RegExp, inner: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return plain(raw => {
    const entries = asObject(raw)
    for (const key of Object.keys(entries)) {
      if (!pattern.test(key)) throw new DecodeError(`key is not ${pattern}`)
      inner.decode(entries[key], noBytes)
    }
    return entries as Record<string, T>
  })
}

/** Exactly these fields. */
export function object<T extends object>(fields: Fields<T>): Schema<T> {
  return shape(fields, 0)
}

/** Told apart by the field `tag`; an unknown variant is refused. */
export function union<T extends Record<K, string>, K extends Tag>(
  tag: K,
  variants: VariantsOf<T, K>,
): Schema<T> {
  const schemas = new Map<unknown, Schema<object>>()
  const names = Object.keys(variants) as T[K][]
  for (const name of names) schemas.set(name, variants[name] as unknown as Schema<object>)
  return {
    isPlain: [...schemas.values()].every(schema => schema.isPlain),
    encode(value, out) {
      const schema = schemas.get(value[tag])
      if (schema === undefined) throw new DecodeError(`no variant ${value[tag]}`)
      if (schema.isPlain) return value
      return { [tag]: value[tag], ...(schema.encode(value, out) as object) }
    },
    decode(raw, take) {
      const name = asObject(raw)[tag]
      const schema = schemas.get(name)
      if (schema === undefined) throw new DecodeError(`unknown ${tag} ${String(name).slice(0, 40)}`)
      return schema.decode(raw, take) as T
    },
  }
}

/** The fields of a union's variant: an object that also carries the tag. */
export function variant<T extends object>(fields: Fields<T>): Schema<T> {
  return shape(fields, 1)
}

function shape<T extends object>(fields: Fields<T>, tags: number): Schema<T> {
  const named = Object.entries(fields) as [keyof T & string, Schema<unknown>][]
  const isPlain = named.every(([, schema]) => schema.isPlain)
  return {
    isPlain,
    encode(value, out) {
      if (isPlain) return value
      const json: Record<string, unknown> = {}
      for (const [name, schema] of named) {
        const field = value[name]
        if (field !== undefined) json[name] = schema.encode(field, out)
      }
      return json
    },
    decode(raw, take) {
      const json = asObject(raw)
      let known = tags
      for (const [name, schema] of named) {
        const field = json[name]
        if (field === undefined && schema.isOptional) continue
        json[name] = decodeField(name, schema, field, take)
        known += 1
      }
      for (const _name in json) known -= 1
      if (known !== 0) throw new DecodeError('unknown field')
      return json as T
    },
  }
}

function decodeField(name: string, schema: Schema<unknown>, raw: unknown, take: BytesIn): unknown {
  try {
    return schema.decode(raw, take)
  } catch (cause) {
    if (cause instanceof DecodeError) throw new DecodeError(`${name}: ${cause.message}`, { cause })
    throw cause
  }
}

function asObject(raw: unknown): Record<string, unknown> {
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    return raw as Record<string, unknown>
  }
  throw new DecodeError('not an object')
}

function noBytes(): never {
  throw new DecodeError('bytes in a mapping')
}
