// A lock on a folder that dies with its process, whatever kills it. Node has no flock, and a file
// with a process id is wrong after the id is used again or from inside a container. So the holder
// listens on a Unix socket in the folder: the kernel alone says whether anybody is there.
// Sockets are numbered: whoever finds all of them dead links a new one with the next number, which
// only one can; the highest is never removed, so a number never comes again while it matters.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'

const NAME = /^lock-(\d+)$/
/** Rounds of a race with others who start at the same time. */
const ATTEMPTS_MAX = 10
/** A socket's address holds 108 bytes; a long folder name is reached by its file handle instead. */
const ADDRESS_BYTES_MAX = 100

/** Lets go of the lock. */
export type ReleaseLock = () => Promise<void>

/** Resolves with null when another process, or this one, holds the folder's lock. */
export async function lockFolder(folder: string): Promise<ReleaseLock | null> {
  const handle = fs.openSync(folder, 'r')
  const at = (name: string) => {
    const direct = path.join(folder, name)
    if (Buffer.byteLength(direct) <= ADDRESS_BYTES_MAX) return direct
    return `/proc/self/fd/${handle}/${name}`
  }
  const own = `lock-new-${randomBytes(6).toString('hex')}`
  const server = await listen(at(own)).catch(error => {
    fs.closeSync(handle)
    throw new Error(`cannot lock ${folder}`, { cause: error })
  })
  const release = async () => {
    await new Promise(resolve => server.close(resolve))
    fs.closeSync(handle)
  }
  try {
    if (await take(folder, own, at)) return release
  } catch (error) {
    await release()
    throw error
  }
  await release()
  return null
}

async function take(folder: string, own: string, at: (name: string) => string): Promise<boolean> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const numbers = numbersIn(folder)
      for (const number of numbers) if (await isAlive(at(`lock-${number}`))) return false
      const next = Math.max(0, ...numbers) + 1
      if (link(path.join(folder, own), path.join(folder, `lock-${next}`))) {
        return settle(folder, next)
      }
    }
    return false
  } finally {
    fs.rmSync(path.join(folder, own), { force: true })
  }
}

/** Someone who was slower may have linked a number that was free only because it had gone. */
function settle(folder: string, taken: number): boolean {
  const numbers = numbersIn(folder)
  if (numbers.some(number => number > taken)) {
    fs.rmSync(path.join(folder, `lock-${taken}`), { force: true })
    return false
  }
  for (const number of numbers) {
    if (number < taken) fs.rmSync(path.join(folder, `lock-${number}`), { force: true })
  }
  return true
}

function numbersIn(folder: string): readonly number[] {
  return fs.readdirSync(folder).flatMap(name => {
    const digits = NAME.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })
}

/** False when the name is taken. */
function link(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Does not keep the process running. */
function listen(address: string): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer(socket => socket.destroy())
    server.once('error', reject)
    server.listen(address, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** A stopped process still counts: the kernel takes connections for it. */
function isAlive(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(address)
    const end = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => end(true))
    socket.once('error', error => {
      const code = codeOf(error)
      end(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK')
    })
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}
