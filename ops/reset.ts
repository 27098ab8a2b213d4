// `npm run reset`: removes the data of the local cluster, and nothing else; not while it runs.

import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe } from './life.ts'
import { localCluster } from './local.ts'
import { answeringNodes } from './ports.ts'

async function main(): Promise<void> {
  const cluster = localCluster()
  const { folder, nodes, services, files } = cluster
  const running = await answeringNodes([...nodes, ...services])
  if (running.length > 0) {
    const names = running.map(({ name, port }) => `${name} ${port}`).join(', ')
    throw new Error(`the cluster runs (${names}); stop it first`)
  }
  if (!existsSync(folder)) {
    console.log(`there is no ${folder}/`)
    return
  }
  const besides = ['archive', 'dashboard', 'prometheus', 'prometheus.yml']
  const known = new Set([...nodes.map(({ name }) => name), ...besides])
  const secrets = Object.values(files).map(file => basename(file))
  const isOurs = (name: string): boolean =>
    known.has(name) || secrets.some(secret => name === secret || name.startsWith(`${secret}.`))
  const entries = readdirSync(folder)
  for (const name of entries.filter(isOurs)) {
    rmSync(join(folder, name), { recursive: true, force: true })
  }
  const others = entries.filter(name => !isOurs(name))
  if (others.length === 0) rmdirSync(folder)
  const left = others.length === 0 ? '' : `; left alone, not ours: ${others.join(', ')}`
  console.log(`removed the data of the local cluster in ${folder}/${left}`)
}

try {
  await main()
} catch (error) {
  console.error(`npm run reset: ${describe(error)}`)
  process.exitCode = 1
}
