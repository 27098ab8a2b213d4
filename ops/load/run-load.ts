// npm run load -- [flags]: see plan.ts for them, or --help.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { generate } from './generator.ts'
import { LOAD_HELP, type LoadPlan, readPlan } from './plan.ts'
import { resultTable } from './result.ts'

const LOCAL_TOKEN = 'data/admin.token'
const CEILING_SECONDS = 2

/** With the token of the file, or of the local cluster where none is named. */
function withToken(plan: LoadPlan): LoadPlan {
  const file = plan['token-file'] ?? (existsSync(LOCAL_TOKEN) ? LOCAL_TOKEN : undefined)
  const needsToken = plan.target === 'shardglass' || plan.target === 'clerk'
  if (plan.token !== undefined || file === undefined || !needsToken) return plan
  return { ...plan, token: readFileSync(file, 'utf8').trim() }
}

/** The same requests at a server that only answers: no target can look faster than this. */
async function showCeiling(plan: LoadPlan): Promise<void> {
  const script = fileURLToPath(import.meta.url).replace(/run-load\.(ts|js)$/, 'start-bare.$1')
  const child = spawn(process.execPath, [...process.execArgv, script, 'node'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>(resolve => {
    child.stdout.once('data', chunk => resolve(String(chunk).trim()))
  })
  const { count: _, ...rest } = plan
  const bounds = { seconds: CEILING_SECONDS, warmup: 1, rate: 0, batch: 1 }
  const op = plan.op === 'get' ? ('get' as const) : ('put' as const)
  const bare: LoadPlan = { ...rest, ...bounds, target: 'http', url, op }
  const result = await generate(bare)
  child.stdin.end()
  console.log(
    `at a server that only answers (node:http, its own process):\n${resultTable(result)}\n`,
  )
}

async function main(): Promise<number> {
  const read = readPlan(process.argv.slice(2))
  if (read === null) {
    console.log(LOAD_HELP)
    return 0
  }
  if (typeof read === 'string') {
    console.error(`load: ${read}; see --help`)
    return 2
  }
  const plan = withToken(read)
  const control = new AbortController()
  process.on('SIGINT', () => control.abort())
  if (plan.ceiling) await showCeiling(plan)
  const watch = { signal: control.signal, ...(!plan.json && { onSecond: console.log }) }
  const result = await generate(plan, watch)
  console.log(plan.json ? JSON.stringify(result) : resultTable(result))
  return result.failed > 0 || result.operations === 0 ? 1 : 0
}

process.exitCode = await main()
