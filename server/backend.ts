// What the HTTP side needs of the replica that runs in its process, and of the others. The host
// implements it; tests and the routes know only this.

import type { Address, ReplicaStatus } from './contract.ts'

/** Takes requests for this process's own replica. */
export interface Backend<Request, Reply> {
  /**
   * Calls `done` exactly once, or never when the process stops. A waiter with a deadline sets its
   * own timer and ignores what comes later: the outcome is then unknown.
   */
  submit(request: Request, done: (reply: Reply) => void): void
  status(): NodeStatus
}

/** `/v1/status`: the replica's, and what the process and its state machine add. */
export type NodeStatus = ReplicaStatus & {
  readonly kind: 'shardmaster' | 'shardkv'
  readonly cluster: string
  readonly version: string
  readonly uptimeSeconds: number
  readonly storage: 'disk' | 'memory'
}

/** Sends one request to another replica, which runs it itself or refuses; it never passes it on. */
export interface PeerCaller<Request, Reply> {
  /** Resolves to `{ type: 'unreachable', isDefinite }` where no reply came in time. */
  call(
    target: Address | { readonly url: string },
    request: Request,
    timeoutMs: number,
  ): Promise<Reply | Unreachable>
}

/** `isDefinite`: the request certainly never left this process. */
export type Unreachable = { readonly type: 'unreachable'; readonly isDefinite: boolean }
