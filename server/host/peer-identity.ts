// Who speaks: the headers with which a replica opens a channel or sends a POST, and the check of
// them. Nothing is read from a connection before they hold. A message says who sent it only here.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { Address, Sender } from '../contract.ts'
import { integer, object, type Schema, text } from './schema.ts'

export type PeerIdentity = {
  readonly self: Sender
  /** Of this process: see peer-starts.ts. */
  readonly start: string
  readonly cluster: string
  readonly peerToken: string
}

/** Headers as node:http gives them: lower-case names. */
export type PeerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export type Checked =
  | { readonly type: 'sender'; readonly from: Sender; readonly start: string }
  | { readonly type: 'refused'; readonly status: number; readonly detail: string }

/** A replica's id, as far as it can be packed into a key. */
const REPLICA_MAX = 65_535
const GID_MAX = 2 ** 31 - 1
const INCARNATION = /^[0-9a-f]{1,64}$/

/** A sender in JSON. */
export const senderSchema: Schema<Sender> = object<Sender>({
  gid: integer(0, GID_MAX),
  replica: integer(0, REPLICA_MAX),
  incarnation: text(64, INCARNATION),
})

/** Equal for equal addresses. */
export function addressKey(address: Address): number {
  return address.gid * (REPLICA_MAX + 1) + address.replica
}

/** `to` lets the receiver notice that a URL leads to another replica than was meant. */
export function peerHeaders(identity: PeerIdentity, to: Address | null): Record<string, string> {
  return {
    authorization: `Bearer ${identity.peerToken}`,
    ...answererHeaders(identity),
    ...(to === null ? {} : { 'shardglass-to': `${to.gid}/${to.replica}` }),
  }
}

/** The status with which a process is turned away because another has its name and life. */
export const TWIN_STATUS = 423

/** What the receiver of a channel says of itself. */
export function answererHeaders({ self, start, cluster }: PeerIdentity): Record<string, string> {
  return {
    'shardglass-cluster': cluster,
    'shardglass-gid': String(self.gid),
    'shardglass-replica': String(self.replica),
    'shardglass-incarnation': self.incarnation,
    'shardglass-start': start,
  }
}

/** Who answered a dial; null when it is not the one that was meant. */
export function checkAnswerer(
  identity: PeerIdentity,
  headers: PeerHeaders,
  target: Address | null,
): { readonly from: Sender; readonly start: string } | null {
  const sender = senderOf(identity, headers)
  if (sender.type === 'refused' || headers['shardglass-cluster'] !== identity.cluster) return null
  if (target === null || addressKey(target) === addressKey(sender.from)) return sender
  return null
}

/** Who sends us something, if it may. */
export function checkPeer(identity: PeerIdentity, headers: PeerHeaders): Checked {
  const { self, cluster, peerToken } = identity
  if (!isSame(headers.authorization, `Bearer ${peerToken}`)) return refused(401, 'peer token')
  if (headers['shardglass-cluster'] !== cluster) return refused(403, 'another cluster')
  const to = headers['shardglass-to']
  if (to !== undefined && to !== `${self.gid}/${self.replica}`) {
    return refused(421, `this is replica ${self.gid}/${self.replica}`)
  }
  return senderOf(identity, headers)
}

function senderOf({ self }: PeerIdentity, headers: PeerHeaders): Checked {
  const gid = wholeNumber(headers['shardglass-gid'], GID_MAX)
  const replica = wholeNumber(headers['shardglass-replica'], REPLICA_MAX)
  const incarnation = headers['shardglass-incarnation']
  if (gid === null || replica === null) return refused(400, 'Shardglass-Gid or -Replica')
  if (typeof incarnation !== 'string' || !INCARNATION.test(incarnation)) {
    return refused(400, 'Shardglass-Incarnation')
  }
  if (gid === self.gid && replica === self.replica) {
    return refused(409, 'the sender has the address of the receiver')
  }
  const start = headers['shardglass-start']
  if (start !== undefined && (typeof start !== 'string' || !INCARNATION.test(start))) {
    return refused(400, 'Shardglass-Start')
  }
  return { type: 'sender', from: { gid, replica, incarnation }, start: start ?? '' }
}

function refused(status: number, detail: string): Checked {
  return { type: 'refused', status, detail }
}

function wholeNumber(text: PeerHeaders[string], max: number): number | null {
  if (typeof text !== 'string' || !/^(0|[1-9][0-9]{0,9})$/.test(text)) return null
  const value = Number(text)
  return value <= max ? value : null
}

/** In a time that does not depend on where they differ. */
function isSame(given: PeerHeaders[string], expected: string): boolean {
  if (typeof given !== 'string') return false
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
