// What the load generator is asked to do: its flags, checked. Everything is bounded, and only this
// machine is loaded unless told otherwise.

import { parseArgs } from 'node:util'
import { z } from 'zod'
import { BATCH_REQUEST_OPS_MAX, VALUE_BYTES_MAX } from '../../server/limits.ts'

export const LOAD_TARGETS = ['shardglass', 'clerk', 'etcd', 'etcd-grpc', 'redis', 'http'] as const
export type LoadTargetName = (typeof LOAD_TARGETS)[number]
export const LOAD_OPS = ['put', 'get', 'puthash', 'mix'] as const
export type LoadOp = Exclude<(typeof LOAD_OPS)[number], 'mix'>

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

const SCHEMA = z.object({
  target: z.enum(LOAD_TARGETS).default('shardglass'),
  /** Base URLs; for the Clerk those of the shardmasters. */
  url: z.string().default('http://127.0.0.1:4211'),
  token: z.string().optional(),
  'token-file': z.string().optional(),
  op: z.enum(LOAD_OPS).default('put'),
  /** Of a mix, the part of gets. */
  reads: z.coerce.number().min(0).max(1).default(0.5),
  clients: whole(1, 10_000).default(64),
  /** Operations a second; 0: as fast as the clients get answers. */
  rate: whole(0, 10_000_000).default(0),
  seconds: z.coerce.number().min(0.1).max(86_400).default(10),
  warmup: z.coerce.number().min(0).max(600).default(1),
  count: whole(1, 2 ** 40).optional(),
  keys: whole(1, 100_000_000).default(1_000),
  distribution: z.enum(['uniform', 'zipfian', 'sequential']).default('uniform'),
  value: whole(0, VALUE_BYTES_MAX).default(256),
  batch: whole(1, BATCH_REQUEST_OPS_MAX).default(1),
  processes: whole(1, 64).default(1),
  seed: whole(0, 2 ** 32 - 1).default(1),
  timeout: whole(1, 60_000).default(10_000),
  prefix: z
    .string()
    .regex(/^[\w-]{0,64}$/)
    .default('load-'),
})

export type LoadPlan = z.infer<typeof SCHEMA> & {
  readonly json: boolean
  /** Prints its histogram too, for the process that started it. */
  readonly raw: boolean
  readonly ceiling: boolean
}

export const LOAD_HELP = `npm run load -- [flags]: load on keys of a cluster, and how it is answered

  --target T        shardglass (plain HTTP), clerk (the client library, which coalesces), etcd (its
                    JSON gateway), etcd-grpc, redis (SET, then WAIT 1), http (bare PUT and GET)
  --url LIST        base URLs, separated by commas; of the shardmasters for clerk
                    (default http://127.0.0.1:4211)
  --token T         or --token-file FILE (default: data/admin.token where it is)
  --op OP           put, get, puthash, mix (default put); --reads F: part of gets in a mix (0.5)
  --clients N       callers, each with one operation under way (default 64)
  --rate N          operations a second, whatever the answers take: latency then counts from the
                    moment at which an operation was due (default 0: as fast as answers come)
  --seconds S       how long (default 10), after --warmup S (default 1); --count N: or so many
  --keys N          how many (default 1000); --distribution uniform | zipfian | sequential
  --value BYTES     size of values (default 256)
  --batch N         operations in one request (default 1); etcd: puts of one transaction
  --processes N     generators that share the clients and the rate (default 1)
  --ceiling         first shows what this generator reaches against a bare server
  --json            the result as JSON; --seed N, --timeout MS, --prefix TEXT of keys
  --yes-remote      allows targets beyond this machine

A stop by Ctrl-C prints what was measured so far.`

/** The plan, or a sentence about the first flag that is wrong; null: help was asked for. */
export function readPlan(argv: readonly string[]): LoadPlan | string | null {
  const names = [...Object.keys(SCHEMA.shape)]
  const texts = Object.fromEntries(names.map(name => [name, { type: 'string' as const }]))
  const flags = ['json', 'raw', 'ceiling', 'yes-remote', 'help']
  const switches = Object.fromEntries(flags.map(name => [name, { type: 'boolean' as const }]))
  let values: Record<string, unknown>
  try {
    values = parseArgs({ args: [...argv], options: { ...texts, ...switches } }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  if (values.help === true) return null
  const checked = SCHEMA.safeParse(values)
  if (!checked.success) {
    const [issue] = checked.error.issues
    return `--${String(issue?.path[0])}: ${issue?.message}`
  }
  const { json = false, raw = false, ceiling = false } = values
  const remote = values['yes-remote'] === true ? undefined : remoteOf(checked.data.url)
  if (remote !== undefined) return `${remote} is not this machine: say --yes-remote if it is meant`
  return { ...checked.data, json: json === true, raw: raw === true, ceiling: ceiling === true }
}

function remoteOf(urls: string): string | undefined {
  return urls.split(',').find(url => {
    if (!URL.canParse(url)) return true
    return !/^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(new URL(url).hostname)
  })
}
