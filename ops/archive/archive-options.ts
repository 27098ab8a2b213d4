// Flags of the archive: like those of the nodes, each with its environment variable.

import { z } from 'zod'
import type { Flag } from '../flags.ts'
import { address, optionsOf } from '../options.ts'

const GB = 1024 ** 3
const UNITS: Readonly<Record<string, number>> = { KB: 1024, MB: 1024 ** 2, GB, TB: 1024 * GB }

/** A few of the largest batches. */
const BYTES_MIN = 16 * 1024 ** 2

const bytes = z.string().transform((text, context) => {
  const match = /^(\d{1,15})(KB|MB|GB|TB)?$/.exec(text)
  const count = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? 1)
  if (match !== null && count >= BYTES_MIN) return count
  context.addIssue(`is to be 16MB or more, such as 500MB or 2GB, not "${text}"`)
  return z.NEVER
})

const schema = z.object({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .default('archive'),
  listen: address,
  data: z.string({ error: 'is missing' }).min(1),
  tokensFile: z.string({ error: 'is missing' }).min(1),
  peerTokenFile: z.string().min(1).optional(),
  keepDays: z.coerce.number().positive().max(36_500).default(7),
  keepBytes: bytes.default(2 * GB),
  sync: z.enum(['normal', 'full']).default('normal'),
})

export type ArchiveProcessOptions = z.infer<typeof schema>

const FLAGS: readonly Flag[] = [
  ['--listen <host:port>', 'address to listen on'],
  ['--data <dir>', 'data directory, made if missing (mode 0700)'],
  ['--tokens-file <path>', "clients' tokens: JSON of {name, role, hash}"],
  ['--peer-token-file <path>', 'the credential with which nodes send their spans'],
  ['--keep-days <n>', 'spans are kept for so long … (default: 7)'],
  ['--keep-bytes <size>', '… and never more than this on disk, such as 500MB (default: 2GB)'],
  ['--sync <kind>', 'normal, or full: each batch is synced to the disk (default: normal)'],
  ['--name <name>', 'name in log lines'],
]

export function archiveOptions(argv: readonly string[]): ArchiveProcessOptions {
  return optionsOf({ command: 'start-archive', schema, flags: FLAGS, argv })
}
