// The release of this software, from package.json: beside the sources, or one above the built files.

import { readFileSync } from 'node:fs'

export const version: string = readVersion(['../package.json', '../../package.json'])

function readVersion(places: readonly string[]): string {
  for (const place of places) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'))
      if (typeof found === 'object' && found !== null && 'version' in found) {
        return String(found.version)
      }
    } catch {
      // not there: the next place
    }
  }
  return 'unknown'
}
