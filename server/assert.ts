// Broken invariants. A replica that finds one stops its process: to limp on with a state that
// cannot be right would spread it to the others.

/** Something that the protocol rules out has happened. Never caught below the process's edge. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** States what holds here; `claim` is the sentence that would then be false. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new InvariantError(`does not hold: ${claim}`)
}

/** Ends a switch over a closed union: a new variant that nobody handles does not compile. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable variant: ${JSON.stringify(value)}`)
}
