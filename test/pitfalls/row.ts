// A row of the catalogue of what systems of this kind got wrong, and what shows that this one does not.

export type Row = {
  readonly id: string
  readonly pitfall: string
  readonly shown: readonly Shown[]
  /** What of the row is not shown, and why not. */
  readonly open?: string
}

export type Shown =
  /** A test whose name begins so. */
  | { readonly file: string; readonly test: string }
  /** A kind of fault of the chaos runner. */
  | { readonly chaos: string }

/** Names a test of one file by the beginning of its name. */
export function by(file: string): (test: string) => Shown {
  return test => ({ file: `test/${file}.test.ts`, test })
}

export function chaos(fault: string): Shown {
  return { chaos: fault }
}
