// What travels on a channel: messages, and what the transport itself says there.

import type { Message } from '../contract.ts'
import type { CallSchema } from './call-schema.ts'
import { messageSchema } from './message-schema.ts'
import { type Schema, uint, union, variant } from './schema.ts'

type Control<Request, Reply> =
  /** A request passed on, and what came of it. */
  | { readonly type: 'call'; readonly id: number; readonly request: Request }
  | { readonly type: 'callReply'; readonly id: number; readonly reply: Reply }
  /** Is anyone there? */
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }

export type PeerFrame<Request, Reply> = Message | Control<Request, Reply>

/** Tells the transport's own frames from messages by their type. */
export function isControl<Request, Reply>(
  frame: PeerFrame<Request, Reply>,
): frame is Control<Request, Reply> {
  return CONTROL.has(frame.type)
}

const CONTROL: ReadonlySet<unknown> = new Set(['call', 'callReply', 'ping', 'pong'])

export function peerFrameSchema<Request, Reply>(
  calls: CallSchema<Request, Reply>,
): Schema<PeerFrame<Request, Reply>> {
  const control = union<Control<unknown, unknown>, 'type'>('type', {
    call: variant({ id: uint, request: calls.request as Schema<unknown> }),
    callReply: variant({ id: uint, reply: calls.reply as Schema<unknown> }),
    ping: variant({}),
    pong: variant({}),
  }) as Schema<Control<Request, Reply>>
  return {
    isPlain: false,
    encode: (frame, out) =>
      isControl(frame) ? control.encode(frame, out) : messageSchema.encode(frame, out),
    decode(raw, bytes) {
      const isOwn =
        typeof raw === 'object' && raw !== null && 'type' in raw && CONTROL.has(raw.type)
      return isOwn ? control.decode(raw, bytes) : messageSchema.decode(raw, bytes)
    },
  }
}
