// Who waits for the reply to which request. Not a Map: one that lives long and whose entries come and
// go is rehashed all the time, and V8 links each table to the next; once one is in the old
// generation, all later ones and what they held (sockets, requests, answers) get there too. That was
// a third of a replica's garbage collection.

/** Ids are a place in the table and how often it was used before: none is given out twice. */
const PLACES = 2 ** 20

export class Waiters<Reply> {
  private readonly waiting: (((reply: Reply) => void) | null)[] = []
  /** Place → the id under which it is used now, or was used last. */
  private readonly ids: number[] = []
  private readonly free: number[] = []
  private count = 0

  get size(): number {
    return this.count
  }

  /** Returns the request's id, from 1 on. */
  add(done: (reply: Reply) => void): number {
    const place = this.free.pop() ?? this.waiting.length
    const id = (this.ids[place] ?? place + 1 - PLACES) + PLACES
    this.waiting[place] = done
    this.ids[place] = id
    this.count += 1
    return id
  }

  /** Who waited under the id, once; undefined for any other id. */
  take(id: number): ((reply: Reply) => void) | undefined {
    const place = (id - 1) % PLACES
    const done = this.waiting[place]
    if (done === undefined || done === null || this.ids[place] !== id) return undefined
    this.waiting[place] = null
    this.free.push(place)
    this.count -= 1
    return done
  }

  clear(): void {
    this.waiting.length = 0
    this.ids.length = 0
    this.free.length = 0
    this.count = 0
  }
}
