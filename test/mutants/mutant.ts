// A planted bug: one line of the code changed, and the test that must notice. The list shows what
// the tests are worth: a mutant that survives is a test that is missing.

export type Mutant = {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once; otherwise the mutant is stale, which counts as a failure. */
  readonly find: string
  readonly replace: string
  /** Row of the catalogue (test/pitfalls/rows.ts) that it stands for, or a part beside it. */
  readonly row: string
  readonly by: Catcher
}

export type Catcher =
  /** A test file; one of the tests that fail has this in its name. */
  | { readonly file: string; readonly test: string }
  /** Arguments of `npm run sim`: at least one of the seeds is violated. */
  | { readonly simulation: string }

export type Verdict =
  | { readonly type: 'caught'; readonly by: readonly string[] }
  | { readonly type: 'survived' }
  /** The text is not there exactly once. */
  | { readonly type: 'stale'; readonly count: number }
  /** Something else went wrong: a crash, a hang, or other tests failed than the named one. */
  | { readonly type: 'unclear'; readonly why: string }

/** The source with the bug in it, or how often the text to find is there. */
export function plant(source: string, { find, replace }: Mutant): string | number {
  const parts = source.split(find)
  return parts.length === 2 ? parts.join(replace) : parts.length - 1
}

/** Arguments for `node`. */
export function commandOf(by: Catcher): readonly string[] {
  const script = 'file' in by ? [by.file] : ['test/simulation/run.ts', ...by.simulation.split(' ')]
  return ['--import', 'tsx', ...script]
}

export function describe(by: Catcher): string {
  return 'file' in by ? by.file : `npm run sim -- ${by.simulation}`
}

/** Names of the tests, or seeds, that failed according to what was printed. */
export function failuresIn(by: Catcher, output: string): readonly string[] {
  const pattern = 'file' in by ? /^ *FAIL +.*?"(.*)"$/gm : /^(seed \d+): /gm
  return [...output.matchAll(pattern)].map(match => match[1] ?? '')
}

/** Whether what was printed so far is enough: the bug was noticed where the list says. */
export function isCaught(by: Catcher, output: string): boolean {
  const failures = failuresIn(by, output)
  return 'file' in by ? failures.some(name => name.includes(by.test)) : failures.length > 0
}

export function verdictOf(
  by: Catcher,
  output: string,
  ending: { readonly code: number | null; readonly isTimedOut: boolean },
): Verdict {
  const failures = failuresIn(by, output)
  if (isCaught(by, output)) return { type: 'caught', by: failures }
  if (ending.isTimedOut) return { type: 'unclear', why: 'it did not end in time' }
  if (ending.code === 0) return { type: 'survived' }
  const named = failures.length === 0 ? 'no test' : failures.join('; ')
  return { type: 'unclear', why: `exit code ${ending.code}, failed: ${named}` }
}
