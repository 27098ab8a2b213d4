// Flags of a process. Every flag has an environment variable of the same name (`--peer-token-file`:
// SHARDGLASS_PEER_TOKEN_FILE); a flag wins.

import { Command, CommanderError, Option } from 'commander'
import { Refusal } from './life.ts'

export type Flag = readonly [flag: string, text: string]

/** What was given, by name in camelCase. Ends the process after --help; throws Refusal. */
export function parseFlags(
  name: string,
  flags: readonly Flag[],
  argv: readonly string[],
): Readonly<Record<string, string | true | undefined>> {
  const program = new Command(name).exitOverride().configureOutput({ writeErr: () => undefined })
  for (const [flag, text] of flags) {
    const variable = /--([a-z-]+)/.exec(flag)?.[1]?.replaceAll('-', '_').toUpperCase()
    const option = new Option(flag, text) // --local is the Procfile's, and no setting
    program.addOption(flag.startsWith('--local') ? option : option.env(`SHARDGLASS_${variable}`))
  }
  try {
    return program.parse(argv, { from: 'user' }).opts()
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) process.exit(0)
    if (error instanceof CommanderError) throw new Refusal(error.message.replace(/^error: /, ''))
    throw error
  }
}
