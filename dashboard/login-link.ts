// A link that logs in once, for who can read the cluster's folder anyway: `npm start` prints it. Its
// code is no token; it is spent by its use, and a new link is then written for the next time.

import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readSecret } from '../ops/secrets.ts'
import { isSame, secret } from './session.ts'

export type LoginLinkOptions = {
  /** Base URL of the dashboard. */
  readonly url: string
  /** Where the link is written. */
  readonly file: string
  /** The token in whose name it logs in. */
  readonly tokenFile: string
}

export class LoginLink {
  private readonly options: LoginLinkOptions
  private code = ''

  constructor(options: LoginLinkOptions) {
    this.options = options
    this.renew()
  }

  /** The token behind the link, once; null when the code is wrong or spent. */
  use(code: string): string | null {
    if (!isSame(code, this.code)) return null
    this.renew()
    return readSecret(this.options.tokenFile)
  }

  private renew(): void {
    const { url, file } = this.options
    this.code = secret()
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const aside = `${file}.${process.pid}`
    writeFileSync(aside, `${url}/login?once=${this.code}\n`, { mode: 0o600 })
    chmodSync(aside, 0o600)
    renameSync(aside, file)
  }
}
