// Flags of the nodes. Every flag has an environment variable of the same name (`--peer-token-file`:
// SHARDGLASS_PEER_TOKEN_FILE); a flag wins. One schema checks them all and gives one sentence per
// mistake.

import { z } from 'zod'
import { SHARDS_MAX } from '../server/limits.ts'
import { type Flag, parseFlags } from './flags.ts'
import { Refusal } from './life.ts'
import { localCluster, localFlags } from './local.ts'
import { ensureSecrets } from './secrets.ts'

const GID_MAX = 2 ** 31 - 1

/** `HOST:PORT`. */
export const address = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match !== null && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port }
  context.addIssue(`is to be HOST:PORT, not "${text}"`)
  return z.NEVER
})

const baseUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (url !== null && isHttp && url.search === '' && url.hash === '')
    return text.replace(/\/+$/, '')
  context.addIssue(`is to be an http:// or https:// address, not "${text}"`)
  return z.NEVER
})

const baseUrls = z
  .string()
  .transform(text => text.split(','))
  .pipe(z.array(baseUrl).min(1).max(9))

/** `0=http://…,1=http://…` → URLs by replica id, without a gap. */
const peers = z.string().transform((text, context) => {
  const urls: string[] = []
  for (const part of text.split(',')) {
    const match = /^(\d)=(.+)$/.exec(part)
    const url = baseUrl.safeParse(match?.[2])
    const replica = Number(match?.[1])
    if (match === null || !url.success || urls[replica] !== undefined) {
      context.addIssue(`is to be 0=http://…,1=http://…, not "${text}"`)
      return z.NEVER
    }
    urls[replica] = url.data
  }
  if (Object.keys(urls).length === urls.length) return urls
  context.addIssue('names the replicas 0, 1, 2 … without a gap')
  return z.NEVER
})

const common = {
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional(),
  cluster: z.string().regex(/^[\w.-]{1,64}$/, 'is to be 1–64 characters of A-Z a-z 0-9 . _ -'),
  replica: z.coerce.number().int().min(0).max(8),
  listen: address,
  advertise: baseUrl.optional(),
  peers,
  data: z.string().min(1).optional(),
  storage: z.enum(['disk', 'memory']).default('disk'),
  tokensFile: z.string().min(1),
  peerTokenFile: z.string().min(1),
  reads: z.enum(['quorum', 'lease']).default('quorum'),
  peerTransport: z.enum(['channel', 'post']).default('channel'),
  traces: z.enum(['on', 'off']).default('on'),
  archive: baseUrl.optional(),
  traceSample: z.coerce.number().min(0).max(1).default(0.01),
  traceSlowMs: z.coerce.number().min(0).default(250),
  deepTrace: z.boolean().default(false),
  metricsListen: address.optional(),
  joinHosts: z
    .string()
    .transform(text => text.split(','))
    .default([]),
}

const shardmasterSchema = z.object({
  ...common,
  shards: z.coerce.number().int().min(1).max(SHARDS_MAX).default(64),
  partitioner: z.enum(['hash', 'first-byte']).default('hash'),
})

const shardkvSchema = z.object({
  ...common,
  gid: z.coerce.number().int().min(1).max(GID_MAX),
  shardmasters: baseUrls,
  autoJoin: z.boolean().default(false),
})

export type ShardmasterOptions = Checked<z.infer<typeof shardmasterSchema>>
export type ShardkvOptions = Checked<z.infer<typeof shardkvSchema>>
type Checked<T> = T & { readonly name: string; readonly advertise: string }

export const LOCAL_FLAG: Flag = [
  '--local <name>',
  'a process of the local cluster: sm1 … sm3, kv1a … kv3c, archive',
]

const COMMON_FLAGS: readonly Flag[] = [
  ['--cluster <id>', 'id of the cluster; nodes of other clusters are refused'],
  ['--replica <n>', 'replica id in the group, 0–8'],
  ['--listen <host:port>', 'address to listen on'],
  ['--advertise <url>', 'base URL under which others reach this node (default: http://LISTEN)'],
  ['--peers <list>', 'all replicas of the group, this one too: 0=http://…,1=http://…'],
  ['--data <dir>', 'data directory, made if missing (mode 0700)'],
  ['--storage <kind>', 'disk, or memory for a node that may forget (default: disk)'],
  ['--tokens-file <path>', "clients' tokens: JSON of {name, role, hash}"],
  ['--peer-token-file <path>', 'the credential of nodes among themselves'],
  ['--reads <kind>', 'quorum, or lease where clocks are good (default: quorum)'],
  ['--peer-transport <kind>', 'channel, or post: one HTTP request per message (default: channel)'],
  ['--traces <kind>', 'on, or off: no traces at all (default: on)'],
  ['--archive <url>', 'base URL of the trace archive; OTEL_EXPORTER_OTLP_* name other receivers'],
  ['--trace-sample <ratio>', 'share of requests whose traces are kept, 0–1 (default: 0.01)'],
  ['--trace-slow-ms <ms>', 'requests that take longer are always kept (default: 250)'],
  ['--deep-trace', "spans of this acceptor's every answer"],
  ['--join-hosts <list>', 'hosts beside loopback that joining groups may live on'],
  [
    '--metrics-listen <host:port>',
    '/metrics also here, without a token: only where nobody else comes',
  ],
  ['--name <name>', 'name in log lines'],
]

const SHARDMASTER_FLAGS: readonly Flag[] = [
  ['--shards <n>', 'number of shards, fixed when the cluster is created (default: 64)'],
  ['--partitioner <kind>', 'hash or first-byte, fixed likewise (default: hash)'],
]

const SHARDKV_FLAGS: readonly Flag[] = [
  ['--gid <n>', 'id of the group, 1 or more; an id that left is never used again'],
  ['--shardmasters <list>', 'base URLs of the shardmasters in order of replica id'],
  ['--auto-join', 'the group joins by itself unless it ever was in a configuration'],
]

export function shardmasterOptions(argv: readonly string[]): ShardmasterOptions {
  const flags = [...COMMON_FLAGS, ...SHARDMASTER_FLAGS]
  return checked(shardmasterSchema, read('start-shardmaster', flags, argv))
}

export function shardkvOptions(argv: readonly string[]): ShardkvOptions {
  const flags = [...COMMON_FLAGS, ...SHARDKV_FLAGS]
  return checked(shardkvSchema, read('start-shardkv', flags, argv))
}

/** Options of a process that is no replica. */
export function optionsOf<T extends z.ZodType>(of: {
  readonly command: string
  readonly schema: T
  readonly flags: readonly Flag[]
  readonly argv: readonly string[]
}): z.output<T> {
  const result = of.schema.safeParse(read(of.command, of.flags, of.argv))
  if (result.success) return result.data
  throw new Refusal(result.error.issues.map(sentence).join('; '))
}

/** `--local NAME` stands for all flags of that process of the local cluster; more may follow. */
function read(command: string, flags: readonly Flag[], argv: readonly string[]): object {
  const local = argv.indexOf('--local')
  if (local < 0) return parseFlags(command, [LOCAL_FLAG, ...flags], argv)
  const name = argv[local + 1] ?? ''
  const cluster = localCluster()
  const expanded = localFlags(cluster, name, ensureSecrets(cluster))
  if (expanded === null) throw new Refusal(`--local: no process "${name}" in the local cluster`)
  const others = argv.filter((_, position) => position !== local && position !== local + 1)
  return parseFlags(command, [LOCAL_FLAG, ...flags], [...expanded, ...others])
}

function checked<T extends z.ZodType<z.infer<typeof shardmasterSchema | typeof shardkvSchema>>>(
  schema: T,
  input: object,
): Checked<z.infer<T>> {
  const result = schema.safeParse(input)
  if (!result.success) throw new Refusal(result.error.issues.map(sentence).join('; '))
  const options = result.data
  const { listen, peers, replica, storage, data } = options
  if (storage === 'disk' && data === undefined) {
    throw new Refusal('--data DIR is missing (or --storage memory for a node that may forget)')
  }
  if (peers[replica] === undefined) throw new Refusal(`--peers does not name replica ${replica}`)
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  const advertise = options.advertise ?? `http://${host}:${listen.port}`
  return { ...options, advertise, name: options.name ?? `${host}:${listen.port}` }
}

function sentence(issue: {
  readonly path: readonly PropertyKey[]
  readonly message: string
}): string {
  const flag = String(issue.path[0]).replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  return `--${flag}: ${issue.message}`
}

/** The name for log lines, known before the flags are checked. */
export function nameOf(argv: readonly string[], otherwise: string): string {
  for (const flag of ['--name', '--local']) {
    const at = argv.indexOf(flag)
    if (at >= 0) return argv[at + 1] ?? otherwise
  }
  return otherwise
}
