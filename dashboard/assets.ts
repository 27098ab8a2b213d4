// The few files that a page needs beside itself: htmx from its package, and our own style, script
// and icon. Read and compressed once; a file's name holds its checksum, so it is kept for ever.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

export type AssetUrls = {
  readonly style: string
  readonly script: string
  /** With its extension for event streams. */
  readonly htmx: string
  readonly icon: string
}

type Asset = { readonly type: string; readonly plain: Buffer; readonly zipped: Buffer }

const SCRIPT = 'text/javascript; charset=utf-8'
const HTMX = ['dist/htmx.min.js', 'dist/ext/hx-sse.min.js']

export class Assets {
  readonly urls: AssetUrls
  private readonly byPath = new Map<string, Asset>()

  constructor() {
    const htmx = dirname(createRequire(import.meta.url).resolve('htmx.org/package.json'))
    const own = ownFolder()
    this.urls = {
      style: this.add('dashboard.css', join(own, 'dashboard.css'), 'text/css; charset=utf-8'),
      script: this.add('dashboard.js', join(own, 'dashboard.js'), SCRIPT),
      // In one file: htmx looks at the page when its own script has run, and an extension that came
      // a moment later would miss that.
      htmx: this.add(
        'htmx.js',
        HTMX.map(path => join(htmx, path)),
        SCRIPT,
      ),
      icon: this.add('icon.svg', join(own, 'icon.svg'), 'image/svg+xml'),
    }
  }

  /** Null when there is no such file. */
  answer(path: string, acceptEncoding: string): Response | null {
    const asset = this.byPath.get(path)
    if (asset === undefined) return null
    const isZipped = /\bgzip\b/.test(acceptEncoding)
    const headers = {
      'content-type': asset.type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    }
    return new Response(new Uint8Array(isZipped ? asset.zipped : asset.plain), { headers })
  }

  private add(name: string, files: string | readonly string[], type: string): string {
    const texts = [files].flat().map(file => readFileSync(file, 'utf8'))
    const plain = Buffer.from(texts.join('\n').replace(/^\/\/# sourceMappingURL=.*$/gm, ''))
    const sum = createHash('sha256').update(plain).digest('hex').slice(0, 12)
    const path = `/assets/${sum}/${name}`
    this.byPath.set(path, { type, plain, zipped: gzipSync(plain) })
    return path
  }
}

/** The compiler copies no styles: built files find them where their sources are. */
function ownFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const beside = join(here, 'assets')
  return existsSync(beside) ? beside : join(here, '../../dashboard/assets')
}
