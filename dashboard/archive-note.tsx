// Says that the archive is away, where a page shows what is in it.

import type { ArchiveSaid } from './archive-said.ts'
import { visible } from './html.ts'
import { Notice } from './layout.tsx'

export function ArchiveNote({ said }: { readonly said: ArchiveSaid<unknown> }) {
  if (said.problem === null) return null
  return <Notice level="warn">{visible(said.problem)}</Notice>
}
