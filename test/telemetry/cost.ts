// What traces cost: two clusters side by side, one that traces everything into a real archive and one
// that traces nothing, under the same load at the same time, so that all else that the machine does hits
// both alike. Only ratios count: of throughput, and of the processor time of three replicas per put.
// Needs wrk, and the build. Run: node --import tsx test/telemetry/cost.ts [rounds] [seconds] [clients]

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ClusterNode, TestCluster, TOKEN } from '../support/cluster.ts'
import { ClusterArchive } from '../support/cluster-archive.ts'
import { costOf } from '../support/process-cost.ts'

const run = promisify(execFile)
const LOAD = join(import.meta.dirname, '../../dist/ops/load/run-load.js')
const RATE = 800
const [, , rounds = '5', seconds = '5', clients = '64'] = process.argv

type Round = { readonly perSecond: number; readonly microsPerPut: number; readonly slots: number }

const archive = await ClusterArchive.plan()
const on = await TestCluster.start({ groups: [3], flags: ['--archive', archive.url] })
archive.start(on.folder)
const off = await TestCluster.start({ groups: [3], flags: ['--traces', 'off'] })
try {
  await compare()
} finally {
  await Promise.all([on.stop(), off.stop()])
  await archive.stop()
}

async function compare(): Promise<void> {
  await Promise.all([measure(on, '4'), measure(off, '4')]) // warms up the code
  const ratios: { perSecond: number; micros: number }[] = []
  for (let round = 0; round < Number(rounds); round++) {
    const archiveBefore = ticksOf([archive.pid])
    const [with_, without] = await Promise.all([measure(on, seconds), measure(off, seconds)])
    const perSecond = with_.perSecond / without.perSecond
    const micros = with_.microsPerPut / without.microsPerPut
    ratios.push({ perSecond, micros })
    const archiveMs = (ticksOf([archive.pid]) - archiveBefore) * 10
    console.log(`on ${line(with_)} · off ${line(without)} · archive ${archiveMs} ms`)
    console.log(`  throughput ${perSecond.toFixed(3)}, CPU per put ${micros.toFixed(3)}`)
  }
  const paced: number[] = []
  for (let round = 0; round < Number(rounds); round++) {
    const [with_, without] = await Promise.all([pace(on), pace(off)])
    paced.push(with_ / without)
    const ratio = (with_ / without).toFixed(3)
    console.log(
      `at ${RATE} puts/s: on ${with_.toFixed(1)}, off ${without.toFixed(1)} µs/put: ${ratio}`,
    )
  }
  paced.sort((a, b) => a - b)
  const half = paced[Math.floor(paced.length / 2)] ?? 0
  console.log(`median at ${RATE} puts/s: CPU per put ${half.toFixed(3)}`)
  const median = (of: (ratio: { perSecond: number; micros: number }) => number): string => {
    const sorted = ratios.map(of).sort((a, b) => a - b)
    return (sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(3)
  }
  console.log(
    `median: throughput ${median(r => r.perSecond)}, CPU per put ${median(r => r.micros)}`,
  )
  const status = await archive.client.status()
  console.log(JSON.stringify(status))
}

function line({ perSecond, microsPerPut, slots }: Round): string {
  return `${Math.round(perSecond)}/s, ${microsPerPut.toFixed(1)} µs/put, ${slots} slots/s`
}

async function measure(cluster: TestCluster, forSeconds: string): Promise<Round> {
  const leader = await cluster.leader(1)
  const script = join(cluster.folder, 'put.lua')
  writeFileSync(script, lua())
  const nodes = cluster.group(1)
  const ticks = ticksOf(pidsOf(nodes))
  const slots = await decided(cluster, leader.name)
  const args = ['-t1', `-c${clients}`, `-d${forSeconds}s`, '-s', script, leader.url]
  const { stdout } = await run('wrk', args)
  const done = Number(/(\d+) requests in/.exec(stdout)?.[1])
  const took = Number(/requests in ([\d.]+)s/.exec(stdout)?.[1])
  if (/Non-2xx/.test(stdout)) console.log(stdout)
  const micros = (ticksOf(pidsOf(nodes)) - ticks) * 10_000
  const slotsPerSecond = ((await decided(cluster, leader.name)) - slots) / took
  return { perSecond: done / took, microsPerPut: micros / done, slots: Math.round(slotsPerSecond) }
}

/** µs of the three replicas per put at a fixed rate: batches are the same then, and so is the work. */
async function pace(cluster: TestCluster): Promise<number> {
  const { url } = await cluster.leader(1)
  const ticks = ticksOf(pidsOf(cluster.group(1)))
  const flags = ['--url', url, '--token', TOKEN, '--rate', String(RATE), '--seconds', seconds]
  const { stdout } = await run(process.execPath, [LOAD, ...flags, '--warmup', '0', '--json'])
  const { operations } = JSON.parse(stdout)
  return ((ticksOf(pidsOf(cluster.group(1))) - ticks) * 10_000) / operations
}

async function decided(cluster: TestCluster, name: string): Promise<number> {
  const status = (await cluster.status(name)) as { slots?: { decided?: number } } | null
  return status?.slots?.decided ?? 0
}

function pidsOf(nodes: readonly ClusterNode[]): readonly (number | undefined)[] {
  return nodes.map(({ pid }) => pid)
}

function ticksOf(pids: readonly (number | undefined)[]): number {
  return pids.reduce(
    (sum: number, pid) => sum + (pid === undefined ? 0 : (costOf(pid)?.ticks ?? 0)),
    0,
  )
}

function lua(): string {
  return `
local n = 0
local body = string.rep('x', 256)
request = function()
  n = n + 1
  return wrk.format('PUT', '/v1/kv/key-' .. (n % 1000), {
    ['Authorization'] = 'Bearer ${TOKEN}', ['Content-Length'] = #body }, body)
end`
}
