// Part of the build: makes `npx shardctl` in this folder run this folder's own build. npm links the
// commands of dependencies only; without this, npx would install the package anew into its cache.

import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const command = join(dirname(fileURLToPath(import.meta.url)), 'shardctl.js')
const folder = join(dirname(command), '../../node_modules/.bin')
const link = join(folder, 'shardctl')

mkdirSync(folder, { recursive: true })
chmodSync(command, 0o755)
rmSync(link, { force: true })
symlinkSync(relative(folder, command), link)
