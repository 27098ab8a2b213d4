// Opens a data directory in a process of its own, says so, and stays until it is killed.
// Arguments: directory, replica.

import { openDataDirectory } from '../../server/host/identity.ts'

const [dir = '', replica = '1'] = process.argv.slice(2)
const options = { dir, cluster: 'c', gid: 7, replica: Number(replica), kind: 'shardkv' } as const
try {
  const { identity } = await openDataDirectory(options)
  console.log(`open ${identity.incarnation}`)
  setInterval(() => {}, 1000)
} catch (error) {
  console.log(`refused ${error instanceof Error ? error.message : error}`)
}
