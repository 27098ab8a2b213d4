// Systems under comparison: each starts in a folder of its own on free ports, with its log on disk and
// synced before a write is answered, and names the addresses at which a load is to be put.

import { rmSync } from 'node:fs'

export interface System {
  /** Processes whose processor time belongs to an operation. */
  readonly pids: readonly number[]
  /** Where plain HTTP (or the system's own protocol) is to go: the leader. */
  leaderUrl(): Promise<string>
  /** What its client library is given. */
  readonly clientUrls: readonly string[]
  readonly token: string | null
  stop(): Promise<void>
}

/** What has to end, and the folder to be removed, when a system is stopped or failed to start. */
export async function removed(
  programs: readonly { stop(): Promise<unknown> }[],
  folder: string,
): Promise<void> {
  await Promise.all(programs.map(program => program.stop()))
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
