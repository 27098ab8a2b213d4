// A door in front of a node that lets bytes through late, in both directions: a far-away network.

import { connect, createServer, type Server, type Socket } from 'node:net'

/** How long a chunk is held, in ms, drawn anew for each; order is kept. */
export type Delay = () => number

export class SlowDoor {
  delay: Delay = () => 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.server = createServer(socket => {
      const far = connect(target)
      this.join(socket, far)
      this.join(far, socket)
    })
  }

  static async open(
    at: { readonly host: string; readonly port: number },
    target: { readonly host: string; readonly port: number },
  ): Promise<SlowDoor> {
    const door = new SlowDoor(target)
    await new Promise<void>((resolve, reject) => {
      door.server.once('error', reject)
      door.server.listen(at, resolve)
    })
    return door
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from)
    from.setNoDelay(true)
    // Timers may overtake each other by a millisecond: each takes the oldest chunk, not its own.
    const waiting: (() => void)[] = []
    const later = (work: () => void): void => {
      const delayMs = this.delay()
      if (delayMs === 0 && waiting.length === 0) return work()
      waiting.push(work)
      setTimeout(() => waiting.shift()?.(), delayMs)
    }
    from.on('data', chunk => later(() => void to.write(chunk)))
    from.on('end', () => later(() => void to.end()))
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.sockets.delete(from)
      later(() => void to.destroy())
    })
  }
}
