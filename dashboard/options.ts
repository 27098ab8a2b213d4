// Flags of the dashboard. As with the nodes, each has an environment variable of the same name
// (`--tokens-file`: SHARDGLASS_TOKENS_FILE), and a flag wins.

import { join } from 'node:path'
import { type Flag, parseFlags } from '../ops/flags.ts'
import { Refusal } from '../ops/life.ts'
import { localCluster } from '../ops/local.ts'
import { ensureSecrets } from '../ops/secrets.ts'
import type { KnownNode } from './cluster-reader.ts'

export type Options = {
  readonly listen: { readonly host: string; readonly port: number }
  /** Base URL under which people reach it. */
  readonly advertise: string
  readonly shardmasters: readonly string[]
  readonly nodes: readonly KnownNode[]
  readonly archive: string | null
  readonly grafana: string | null
  /** Folder for the audit log and the login link. */
  readonly data: string
  readonly tokensFile: string
  /** The token behind the link that logs in once; null: no such link. */
  readonly linkTokenFile: string | null
  readonly linkFile: string
}

const FLAGS: readonly Flag[] = [
  ['--local', 'the dashboard of the local cluster; other flags are then not needed'],
  ['--listen <host:port>', 'address to listen on'],
  ['--advertise <url>', 'base URL under which people reach it (default: http://LISTEN)'],
  ['--shardmasters <list>', 'base URLs of the shardmasters'],
  ['--nodes <list>', 'nodes to show beside those of the configuration: name=url,name=url'],
  ['--archive <url>', 'base URL of the trace archive'],
  ['--grafana <url>', 'where Grafana is, for links'],
  ['--data <dir>', 'folder for the audit log, made if missing'],
  ['--tokens-file <path>', "the cluster's tokens; created and revoked there"],
  ['--link-token-file <path>', 'a token for which a link is written that logs in once'],
]

export function dashboardOptions(argv: readonly string[]): Options {
  const given = parseFlags('dashboard', FLAGS, argv)
  if (given.local !== undefined) return local()
  const isText = (entry: [string, unknown]): entry is [string, string] =>
    typeof entry[1] === 'string'
  return checked(Object.fromEntries(Object.entries(given).filter(isText)))
}

function local(): Options {
  const cluster = localCluster()
  ensureSecrets(cluster)
  const { ports, folder, files, nodes, shardmasters } = cluster
  return {
    listen: { host: '127.0.0.1', port: ports.dashboard },
    advertise: `http://127.0.0.1:${ports.dashboard}`,
    shardmasters,
    nodes: nodes.map(({ name, url }) => ({ name, url })),
    archive: `http://127.0.0.1:${ports.archive}`,
    grafana: null,
    data: join(folder, 'dashboard'),
    tokensFile: files.tokens,
    linkTokenFile: files.adminToken,
    linkFile: cluster.loginLink,
  }
}

type Given = Readonly<Record<string, string | undefined>>

function checked(given: Given): Options {
  const listen = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(needed(given, 'listen'))
  if (listen === null) throw new Refusal('--listen: is to be HOST:PORT')
  const [, inBrackets, name = '', port = ''] = listen
  if (Number(port) > 65_535) throw new Refusal('--listen: a port is at most 65535')
  const host = inBrackets ?? name
  return {
    listen: { host, port: Number(port) },
    advertise: baseUrl('advertise', given.advertise ?? `http://${given.listen}`),
    shardmasters: needed(given, 'shardmasters')
      .split(',')
      .map(url => baseUrl('shardmasters', url)),
    nodes: (given.nodes ?? '').split(',').filter(Boolean).map(nodeOf),
    archive: given.archive === undefined ? null : baseUrl('archive', given.archive),
    grafana: given.grafana === undefined ? null : baseUrl('grafana', given.grafana),
    data: needed(given, 'data'),
    tokensFile: needed(given, 'tokensFile'),
    linkTokenFile: given.linkTokenFile ?? null,
    linkFile: join(needed(given, 'data'), 'login.link'),
  }
}

function needed(given: Given, name: string): string {
  const value = given[name]
  if (value !== undefined && value !== '') return value
  const flag = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  throw new Refusal(`--${flag}: is needed`)
}

function baseUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '')
  throw new Refusal(`--${flag}: is to be an http:// or https:// address, not "${text}"`)
}

function nodeOf(text: string): KnownNode {
  const at = text.indexOf('=')
  if (at < 1) throw new Refusal(`--nodes: is to be name=url,name=url, not "${text}"`)
  return { name: text.slice(0, at), url: baseUrl('nodes', text.slice(at + 1)) }
}
