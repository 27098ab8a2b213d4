// `npm run grafana`: writes the dashboards, the rules and Prometheus's configuration again.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatedFiles } from './generated.ts'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')

for (const [path, text] of generatedFiles()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), text)
  console.log(path)
}
