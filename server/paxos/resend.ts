// Accepts that may be lost are sent again: after the time in which followers of late answered, so
// that a network which loses one message in seven, or is whole for a tenth of a second only, still
// decides; and no faster than a bound of bytes, so that a slow network is not made slower.

import { RESEND_ROUND_BYTES, RESENDS_TOLD_MAX } from '../limits.ts'
import { acceptMessage, type Leadership } from './proposer.ts'
import type { PeerState } from './state.ts'

/** How long answers take, µs, smoothed as in RFC 6298 (TCP's retransmission timer). */
export type AnswerTime = { mean: number; deviation: number; isKnown: boolean }

export function unknownAnswerTime(): AnswerTime {
  return { mean: 0, deviation: 0, isKnown: false }
}

/** `micros`: from the sending of the very message that was answered, durability included. */
export function noteAnswerTime(time: AnswerTime, micros: number): void {
  if (!time.isKnown) {
    time.isKnown = true
    time.mean = micros
    time.deviation = micros / 2
    return
  }
  time.deviation += (Math.abs(micros - time.mean) - time.deviation) / 4
  time.mean += (micros - time.mean) / 8
}

/** From then on silence means loss, µs after sending. */
function patience(state: PeerState, { answerTime }: Leadership): number {
  const { resendMin, resend } = state.settings
  const usual = answerTime.mean + 4 * answerTime.deviation
  return Math.min(resend, Math.max(resendMin, Math.ceil(usual)))
}

/** Sends the oldest open slots again to those who have not answered. */
export function resend(state: PeerState, leadership: Leadership): void {
  if (leadership.inFlight.size === 0 || state.now < leadership.resendAt) return
  const wait = patience(state, leadership)
  let bytes = 0
  let isSent = false
  for (const [slot, inFlight] of leadership.inFlight) {
    if (inFlight.decidedAt !== 0 || state.now - inFlight.sentAt < wait) continue
    inFlight.sentAt = state.now
    isSent = true
    bytes += inFlight.value.length
    const message = acceptMessage(state, leadership, slot, inFlight.value)
    for (const replica of leadership.followers.keys()) {
      if (inFlight.votes.has(replica)) continue
      state.effects.send(replica, message)
      if (inFlight.resends.length < RESENDS_TOLD_MAX) {
        inFlight.resends = [...inFlight.resends, { to: replica, at: state.now }]
      }
      state.effects.event({ type: 'resent', slot, to: replica })
    }
    if (bytes >= RESEND_ROUND_BYTES) break
  }
  if (isSent) leadership.resendAt = state.now + wait * Math.ceil((bytes + 1) / RESEND_ROUND_BYTES)
}

/** When `resend` has something to do next, µs. */
export function resendWakeAt(state: PeerState, leadership: Leadership): number {
  let oldest = Number.POSITIVE_INFINITY
  for (const [, { sentAt, decidedAt }] of leadership.inFlight) {
    if (decidedAt === 0 && sentAt < oldest) oldest = sentAt
  }
  if (oldest === Number.POSITIVE_INFINITY) return oldest
  return Math.max(leadership.resendAt, oldest + patience(state, leadership))
}
