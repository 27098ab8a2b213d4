// What the archive answered, or why nothing came. A page goes on without it.

import type { ArchiveClient, Found } from '../ops/archive/client.ts'

export type ArchiveSaid<T> = {
  readonly value: T | null
  /** A sentence; null: it answered. */
  readonly problem: string | null
  /** It answers, and has nothing of that name. */
  readonly isAbsent: boolean
}

export async function said<T>(
  archive: ArchiveClient | null,
  ask: (archive: ArchiveClient) => Promise<Found<T>>,
): Promise<ArchiveSaid<T>> {
  if (archive === null) {
    return { value: null, problem: 'No archive was given to this dashboard.', isAbsent: false }
  }
  const found = await ask(archive)
  if (found.type === 'found') return { value: found.value, problem: null, isAbsent: false }
  if (found.type === 'absent') return { value: null, problem: null, isAbsent: true }
  const advice =
    found.code === 'unreachable'
      ? ' Start it; what the nodes tell meanwhile waits there for it.'
      : ''
  return { value: null, problem: `${sentence(found.reason)}${advice}`, isAbsent: false }
}

function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
}
