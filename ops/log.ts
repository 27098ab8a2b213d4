// One line per thing that happened: time, name, level, text, fields. Plain for people; as JSON with
// SHARDGLASS_LOG=json. Control characters are escaped, so that no value can forge a line.

export type Level = 'info' | 'warn' | 'error'
export type Fields = Readonly<Record<string, string | number | boolean | null>>
export type Log = (level: Level, text: string, fields?: Fields) => void

/** A log under the name of a process (`kv1a`), on standard output. */
export function createLog(name: string, env: NodeJS.ProcessEnv = process.env): Log {
  const format = env.SHARDGLASS_LOG === 'json' ? jsonLine : plainLine
  return (level, text, fields = {}) => {
    const time = new Date().toISOString()
    process.stdout.write(`${format({ time, name, level, text, fields })}\n`)
  }
}

type Line = {
  readonly time: string
  readonly name: string
  readonly level: Level
  readonly text: string
  readonly fields: Fields
}

function jsonLine({ time, name, level, text, fields }: Line): string {
  return JSON.stringify({ time, name, level, text, ...fields })
}

function plainLine({ time, name, level, text, fields }: Line): string {
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${escaped(String(value))}`)
  return `${time} ${name} ${level} ${escaped(text)}${pairs.join('')}`
}

/** Control and direction characters, which terminals would obey, as escapes. */
export function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, bad => {
    return `\\u${(bad.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}
