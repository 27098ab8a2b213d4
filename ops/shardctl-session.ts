// What every shardctl command needs: where the cluster is, the token, how to print, and which exit
// code an outcome has.

import { Clerk, ShardglassError, ShardmasterClient } from '../server/client/clerk.ts'
import { type LocalCluster, localCluster } from './local.ts'
import { isCode, readSecret } from './secrets.ts'

/** Exit codes, as `--help` tells them. */
export const CODE = {
  ok: 0,
  /** The key is absent, or a condition does not hold. */
  notMet: 1,
  usage: 2,
  /** No answer, or one that leaves open whether the change happens. */
  unavailable: 3,
  /** The cluster understood and refused: token, conflict, unknown group. */
  refused: 4,
} as const

export type GlobalOptions = {
  readonly shardmasters?: string
  readonly endpoints?: string
  readonly archive?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly traceparent?: string
  readonly timeout: string
  readonly json?: boolean
}

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type Session = {
  readonly clerk: Clerk
  readonly shardmasters: ShardmasterClient
  readonly token: string
  readonly timeoutMs: number
  readonly isJson: boolean
  /** Base URL of the trace archive; nobody has asked there yet. */
  readonly archiveUrl: string
  /** Nodes that are known without asking anybody. */
  readonly knownNodes: readonly string[]
  close(): Promise<void>
}

/** Opens nothing yet: connections are made when a command needs them. */
export function openSession(options: GlobalOptions): Session {
  const local = localCluster()
  const endpoints = listOf(options.endpoints, '--endpoints')
  const given = listOf(options.shardmasters, '--shardmasters')
  const shardmasters = given ?? local.shardmasters
  const token = tokenOf(options, local)
  const timeoutMs = timeoutOf(options.timeout)
  const { traceparent } = options
  const trace = traceparent === undefined ? {} : { traceParent: traceparent }
  const usesEndpoints = endpoints !== null && given === null
  const clerk = new Clerk({
    ...trace,
    token,
    timeoutMs,
    ...(usesEndpoints ? { endpoints } : { shardmasters }),
  })
  const masters = new ShardmasterClient({ ...trace, shardmasters, token, timeoutMs })
  const isLocal = given === null && endpoints === null
  const localNodes = isLocal ? local.nodes.map(({ url }) => url) : []
  return {
    clerk,
    shardmasters: masters,
    token,
    timeoutMs,
    isJson: options.json === true,
    archiveUrl: listOf(options.archive, '--archive')?.[0] ?? local.archive.url,
    knownNodes: [...new Set([...shardmasters, ...(endpoints ?? []), ...localNodes])],
    close: async () => {
      await Promise.all([clerk.close(), masters.close()])
    },
  }
}

/** One line of text, or the value as JSON under `--json`. */
export function show(session: Session, value: unknown, text: string): void {
  process.stdout.write(`${session.isJson ? JSON.stringify(value) : text}\n`)
}

/** For people who watch: never on standard output, which belongs to the result. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Prints what went wrong and gives the exit code for it. */
export function reportFailure(error: unknown, isJson: boolean): number {
  if (error instanceof UsageError) {
    say(`shardctl: ${error.message}`)
    return CODE.usage
  }
  if (!(error instanceof ShardglassError)) throw error
  const { code, outcome, detail, status } = error
  if (isJson) say(JSON.stringify({ code, outcome, status, detail }))
  else say(`shardctl: ${code}: ${detail}${outcome === 'unknown' ? UNKNOWN : ''}`)
  if (outcome === 'unknown') return CODE.unavailable
  if (code === 'condition-failed' || code === 'no-such-key') return CODE.notMet
  if (status !== null && status >= 400 && status < 500 && status !== 429) {
    return status === 421 ? CODE.unavailable : CODE.refused
  }
  return status === null && code === 'bad-request' ? CODE.usage : CODE.unavailable
}

const UNKNOWN = ' (it may take effect yet: look before you repeat it)'

/** All of standard input. */
export async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

export function wholeNumber(text: string, what: string, least = 0): number {
  const number = Number(text)
  if (/^-?\d{1,16}$/.test(text) && Number.isSafeInteger(number) && number >= least) return number
  throw new UsageError(`${what} is to be a whole number from ${least} on, not "${text}"`)
}

function timeoutOf(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 3600) return seconds * 1000
  throw new UsageError(`--timeout is to be seconds from 0 to 3600, not "${text}"`)
}

function listOf(text: string | undefined, flag: string): readonly string[] | null {
  if (text === undefined || text === '') return null
  const urls = text.split(',').map(url => url.trim().replace(/\/+$/, ''))
  const bad = urls.find(url => !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
  if (bad === undefined) return urls
  throw new UsageError(`${flag} is to be http(s) addresses with commas between, not "${bad}"`)
}

function tokenOf(options: GlobalOptions, local: LocalCluster): string {
  if (options.token !== undefined) return options.token
  const path = options.tokenFile ?? local.files.adminToken
  try {
    return readSecret(path)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw new UsageError(error instanceof Error ? error.message : '')
    const hint = 'give --token or --token-file, or run it in the folder of a local cluster'
    throw new UsageError(`no token: ${path} does not exist; ${hint}`)
  }
}
