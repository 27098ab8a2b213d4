// A test cluster for faults: shardmasters and groups as real processes, each where it can be had in a
// network of its own, on a disk of its own, behind a slow door, or with a clock that can be set.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Clerk, ShardmasterClient } from '../../server/client/clerk.ts'
import { type NodeView, nodeViews } from '../cluster-view.ts'
import { eventually } from './command.ts'
import { Disk } from './disk.ts'
import type { Room } from './isolation.ts'
import { type Ending, Member } from './member.ts'
import { hubAddress, Network } from './network.ts'
import { SlowDoor } from './slow-door.ts'

/** What a kind of fault needs of its cluster, beside the network. */
export type Layout = {
  readonly disks?: boolean
  readonly doors?: boolean
  readonly clocks?: boolean
}

export type ClusterPlan = {
  readonly room: Room
  readonly layout: Layout
  /** Replicas of the shardmaster group, then of group 1, 2 … */
  readonly sizes: readonly number[]
  /** Groups that join by themselves. */
  readonly joining: readonly number[]
}

const PORT = 4101
const DISK_MEGABYTES = 192
const READY_MS_MAX = 60_000

export class ChaosCluster {
  readonly room: Room
  readonly token = `chaos-${randomBytes(24).toString('hex')}`
  readonly members: Member[] = []
  readonly doors = new Map<string, SlowDoor>()
  /** Processes that ended and were not meant to. */
  readonly endings: Ending[] = []
  network: Network | null = null
  private readonly folder: string
  private readonly clients: { close(): Promise<void> }[] = []

  private constructor(room: Room) {
    this.room = room
    this.folder = join(room.folder, `cluster-${randomBytes(4).toString('hex')}`)
  }

  /** Starts all nodes and waits until each is ready. */
  static async start(plan: ClusterPlan): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(plan.room)
    try {
      await cluster.plan(plan)
      for (const member of cluster.members) member.start()
      if (!(await cluster.ready(READY_MS_MAX))) throw new Error(`not ready: ${cluster.lastWords}`)
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  group(gid: number): readonly Member[] {
    return this.members.filter(member => member.gid === gid)
  }

  urls(gid: number): readonly string[] {
    return this.group(gid).map(({ url }) => url)
  }

  member(name: string): Member {
    const member = this.members.find(candidate => candidate.name === name)
    if (member === undefined) throw new Error(`no node ${name}`)
    return member
  }

  /** Networks of its own, or an error that says that there are none. */
  net(): Network {
    if (this.network === null) throw new Error('this cluster has no network of its own')
    return this.network
  }

  /** `/v1/status` of all nodes that answer within 2 s. */
  views(members: readonly Member[] = this.members): Promise<readonly NodeView[]> {
    return nodeViews(
      members.map(({ url }) => url),
      this.token,
    )
  }

  /** The replica that leads a group at the moment, if any. */
  async leader(gid: number): Promise<Member | null> {
    const members = this.group(gid).filter(({ isRunning }) => isRunning)
    const views = await this.views(members)
    const at = views.findIndex(({ status }) => status?.role === 'leader')
    return members[at] ?? null
  }

  /** Whether all nodes are ready within this time; none may end by itself meanwhile. */
  ready(timeoutMs: number): Promise<boolean> {
    return eventually(async () => {
      const [ending] = this.endings
      if (ending !== undefined) throw new Error(`${ending.name} ended: ${ending.lastWords}`)
      const views = await this.views()
      return views.every(({ status }) => status?.isReady === true)
    }, timeoutMs)
  }

  clerk(timeoutMs: number): Clerk {
    const clerk = new Clerk({ shardmasters: this.urls(0), token: this.token, timeoutMs })
    this.clients.push(clerk)
    return clerk
  }

  shardmasters(timeoutMs: number): ShardmasterClient {
    const { token } = this
    const client = new ShardmasterClient({ shardmasters: this.urls(0), token, timeoutMs })
    this.clients.push(client)
    return client
  }

  /** Sets the wall clock of a node that was laid out with one of its own. */
  setClock(member: Member, offsetSeconds: number): void {
    const sign = offsetSeconds < 0 ? '' : '+'
    writeFileSync(this.clockFile(member.name), `${sign}${offsetSeconds}\n`)
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map(client => client.close()))
    await Promise.all(this.members.map(member => member.kill()))
    for (const door of this.doors.values()) door.close()
    for (const { fields } of this.members) await fields.disk?.unmount()
    await this.network?.remove()
  }

  get lastWords(): string {
    return this.members.map(({ name, output }) => `${name}: ${output.slice(-500)}`).join('\n')
  }

  private clockFile(name: string): string {
    return join(this.folder, `${name}.clock`)
  }

  private async plan({ room, layout, sizes, joining }: ClusterPlan): Promise<void> {
    mkdirSync(this.folder, { recursive: true })
    const places = sizes.flatMap((size, gid) =>
      Array.from({ length: size }, (_, replica) => ({ gid, replica, name: nameOf(gid, replica) })),
    )
    const names = places.map(({ name }) => name)
    this.network = room.isOwn ? await Network.create(names) : null
    const ports = room.isOwn ? names.map(() => PORT) : await freePorts(names.length)
    const listens = places.map(({ name }, index) => ({
      host: this.network?.address(name) ?? '127.0.0.1',
      port: ports[index] ?? PORT,
    }))
    const urls: string[] = []
    for (const [index, listen] of listens.entries()) {
      urls.push(await this.urlOf(names[index] ?? '', listen, layout.doors === true))
    }
    const urlsOf = (wanted: number): readonly string[] =>
      urls.filter((_, index) => places[index]?.gid === wanted)
    const common = this.commonFlags(new Set(urls.map(url => new URL(url).hostname)))
    for (const [index, { gid, replica, name }] of places.entries()) {
      const { host, port } = listens[index] ?? { host: '', port: 0 }
      const url = urls[index] ?? ''
      const peers = urlsOf(gid).map((peer, id) => `${id}=${peer}`)
      const shards = gid === 0 ? [] : ['--gid', String(gid), '--shardmasters', urlsOf(0).join(',')]
      const joins = joining.includes(gid) ? ['--auto-join'] : []
      const own = ['--name', name, '--replica', String(replica), '--listen', `${host}:${port}`]
      const args = [...own, '--advertise', url, '--peers', peers.join(','), ...shards, ...joins]
      await this.add({ name, gid, replica, url, args: [...args, ...common] }, layout)
    }
  }

  private async add(
    place: Pick<Member['fields'], 'name' | 'gid' | 'replica' | 'url' | 'args'>,
    layout: Layout,
  ): Promise<void> {
    const { name } = place
    const home = join(this.folder, name)
    const image = join(this.folder, 'images', name)
    const disk =
      layout.disks === true
        ? await Disk.create({ image, folder: home, megabytes: DISK_MEGABYTES })
        : null
    const folder = disk === null ? home : join(home, 'data')
    const env = layout.clocks === true ? this.clockEnvironment(name) : {}
    const prefix = this.network?.enter(name) ?? []
    const args = [...place.args, '--data', folder]
    const fields = { ...place, args, folder, disk, env, prefix }
    this.members.push(new Member(fields, ending => this.endings.push(ending)))
  }

  private async urlOf(
    name: string,
    listen: { readonly host: string; readonly port: number },
    hasDoor: boolean,
  ): Promise<string> {
    if (!hasDoor) return `http://${listen.host}:${listen.port}`
    const host = this.network === null ? '127.0.0.1' : hubAddress
    const [port = 0] = await freePorts(1, host)
    this.doors.set(name, await SlowDoor.open({ host, port }, listen))
    return `http://${host}:${port}`
  }

  private commonFlags(hosts: ReadonlySet<string>): readonly string[] {
    const tokens = join(this.folder, 'tokens.json')
    const peerToken = join(this.folder, 'peer.token')
    const hash = createHash('sha256').update(this.token).digest('hex')
    writeFileSync(tokens, JSON.stringify([{ name: 'chaos', role: 'admin', hash }]), { mode: 0o600 })
    writeFileSync(peerToken, randomBytes(32).toString('hex'), { mode: 0o600 })
    const files = ['--tokens-file', tokens, '--peer-token-file', peerToken]
    return ['--cluster', 'chaos', '--join-hosts', [...hosts].join(','), ...files]
  }

  private clockEnvironment(name: string): Record<string, string> {
    const library = fakeClockLibrary()
    if (library === null) throw new Error('libfaketime is not installed')
    writeFileSync(this.clockFile(name), '+0\n')
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.clockFile(name),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    }
  }
}

export function nameOf(gid: number, replica: number): string {
  return gid === 0 ? `sm${replica}` : `kv${gid}-${replica}`
}

/** Path of libfaketime for threads; null where it is not installed. */
export function fakeClockLibrary(): string | null {
  const file = join('faketime', 'libfaketimeMT.so.1')
  const folders = ['/usr/lib', ...readdirSync('/usr/lib').map(name => join('/usr/lib', name))]
  for (const folder of folders) {
    try {
      if (readdirSync(join(folder, 'faketime')).includes('libfaketimeMT.so.1')) {
        return join(folder, file)
      }
    } catch {
      // no such folder
    }
  }
  return null
}

/** Below those that the system gives to outgoing connections, which could take that of a dead node. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const ports: number[] = []
  for (let port = 20_000 + Math.floor(Math.random() * 7_000); ports.length < count; port++) {
    if (await isFree(host, port)) ports.push(port)
  }
  return ports
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}
