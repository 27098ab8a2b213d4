#!/usr/bin/env node
// shardctl: the command line of a cluster. Flags come from the environment too (SHARDGLASS_…);
// without any, it finds the local cluster of the current folder.

import { Command, CommanderError, Option } from 'commander'
import * as configs from './shardctl-config.ts'
import * as keys from './shardctl-keys.ts'
import {
  CODE,
  type GlobalOptions,
  openSession,
  reportFailure,
  type Session,
  wholeNumber,
} from './shardctl-session.ts'
import { addTraceCommands } from './shardctl-trace-commands.ts'
import { version } from './version.ts'

const HELP = `
Without flags it speaks to the local cluster of the current folder (data/admin.token).
Values: an argument, or - for standard input. get writes the raw bytes to standard output.

Examples:
  shardctl put greeting hello
  shardctl get greeting
  shardctl put photo - < photo.jpg
  shardctl put greeting hi --if-version 3
  shardctl status
  shardctl plan join 3 http://127.0.0.1:4231 http://127.0.0.1:4232 http://127.0.0.1:4233
  shardctl join 3 http://127.0.0.1:4231 http://127.0.0.1:4232 http://127.0.0.1:4233 --wait
  shardctl move 17 3 --wait
  shardctl trace slow --since 1h
  shardctl trace instance 1/4711

Exit codes:
  0  done
  1  the key is absent, or a condition does not hold
  2  the command was called wrongly
  3  no answer in time, or one that leaves open whether the change happens
  4  refused: token, conflict, unknown group`

let exitCode: number = CODE.ok

const program = new Command('shardctl')
  .description('reads and changes a Shardglass cluster')
  .version(version)
  .addOption(flag('--shardmasters <urls>', 'base URLs of the shardmasters, with commas between'))
  .addOption(flag('--endpoints <urls>', 'base URLs of any nodes, for commands on keys'))
  .addOption(flag('--archive <url>', 'base URL of the trace archive, for trace'))
  .addOption(flag('--token <token>', 'bearer token'))
  .addOption(flag('--token-file <path>', 'file with the bearer token'))
  .addOption(
    new Option('--traceparent <value>', 'W3C trace that what is asked belongs to').env(
      'TRACEPARENT',
    ),
  )
  .addOption(flag('--timeout <seconds>', 'give up after so long').default('10'))
  .option('--json', 'results (and errors) as JSON')
  .addHelpText('after', HELP)
  .exitOverride()

program
  .command('get <key>')
  .description('the value of a key, as raw bytes')
  .option('--stale', 'from any replica, without asking a quorum')
  .action(run((session, key: string, flags: { stale?: boolean }) => keys.get(session, key, flags)))

withConditions(program.command('put <key> <value>').description('set a key')).action(
  run((session, key: string, value: string, flags: keys.ConditionFlags) =>
    keys.put(session, key, value, flags),
  ),
)

withConditions(program.command('del <key>').description('delete a key')).action(
  run((session, key: string, flags: keys.ConditionFlags) => keys.del(session, key, flags)),
)

program
  .command('puthash <key> <value>')
  .description('set a key to the hash of its value and this one; prints the previous value')
  .action(run((session, key: string, value: string) => keys.putHash(session, key, value)))

withChange(
  program.command('join <gid> <urls...>').description('a group joins; shards move to it'),
).action(
  run((session, gid: string, urls: string[], flags: configs.ChangeFlags) =>
    configs.change(session, join(gid, urls), flags),
  ),
)

withChange(
  program.command('leave <gid>').description('a group leaves; its shards move away'),
).action(
  run((session, gid: string, flags: configs.ChangeFlags) =>
    configs.change(session, leave(gid), flags),
  ),
)

withChange(program.command('move <shard> <gid>').description('one shard moves to a group')).action(
  run((session, shard: string, gid: string, flags: configs.ChangeFlags) =>
    configs.change(session, move(shard, gid), flags),
  ),
)

const plan = program.command('plan').description('what a change would do; nothing is changed')
plan
  .command('join <gid> <urls...>')
  .action(run((session, gid: string, urls: string[]) => configs.plan(session, join(gid, urls))))
plan.command('leave <gid>').action(run((session, gid: string) => configs.plan(session, leave(gid))))
plan
  .command('move <shard> <gid>')
  .action(run((session, shard: string, gid: string) => configs.plan(session, move(shard, gid))))

program
  .command('config [num]')
  .description('a configuration; the latest without a number')
  .action(run((session, num: string | undefined) => configs.config(session, num)))

program
  .command('history')
  .description('the newest configurations')
  .option('--limit <n>', 'how many', '20')
  .action(run((session, flags: { limit: string }) => configs.history(session, flags)))

program
  .command('status')
  .description('all nodes: role, leader, slots, configuration, shards')
  .action(run(session => configs.status(session)))

addTraceCommands(program, run)

// `shardctl history | head`: who reads no more wants no more.
process.stdout.on('error', () => process.exit(exitCode))
await main()

async function main(): Promise<void> {
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    exitCode = error.exitCode === 0 ? CODE.ok : CODE.usage
  }
  process.exitCode = exitCode
}

/** Commander hands over arguments, then flags, as they are declared beside each command. */
function run<Parts extends readonly unknown[]>(
  work: (session: Session, ...parts: Parts) => Promise<number>,
) {
  return async (...parts: Parts): Promise<void> => {
    const options = program.opts<GlobalOptions>()
    let session: Session | null = null
    try {
      session = openSession(options)
      exitCode = await work(session, ...parts)
    } catch (error) {
      exitCode = reportFailure(error, options.json === true)
    } finally {
      await session?.close()
    }
  }
}

function flag(flags: string, text: string): Option {
  const name = /--([a-z-]+)/.exec(flags)?.[1]?.replaceAll('-', '_').toUpperCase()
  return new Option(flags, text).env(`SHARDGLASS_${name}`)
}

function withConditions(command: Command): Command {
  return command
    .option('--if-version <n>', 'only over this version')
    .option('--if-absent', 'only if there is no such key')
    .option('--if-present', 'only if there is one')
}

function withChange(command: Command): Command {
  return command
    .option('--reason <text>', 'kept in the configuration')
    .option('--if-config <n>', 'only if this is the latest configuration')
    .option('--wait', 'until the shards have arrived')
    .option('--wait-seconds <n>', 'how long to wait', '300')
}

function join(gid: string, servers: readonly string[]) {
  return { op: 'join', gid: wholeNumber(gid, 'GID', 1), servers } as const
}

function leave(gid: string) {
  return { op: 'leave', gid: wholeNumber(gid, 'GID', 1) } as const
}

function move(shard: string, gid: string) {
  return {
    op: 'move',
    shard: wholeNumber(shard, 'SHARD'),
    gid: wholeNumber(gid, 'GID', 1),
  } as const
}
