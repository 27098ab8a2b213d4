// The commands of `shardctl trace`, as its help shows them.

import type { Command } from 'commander'
import type { Session } from './shardctl-session.ts'
import * as trace from './shardctl-trace.ts'

/** Makes an action for commander of a command's work. */
type Run = <Parts extends readonly unknown[]>(
  work: (session: Session, ...parts: Parts) => Promise<number>,
) => (...parts: Parts) => Promise<void>

export function addTraceCommands(program: Command, run: Run): void {
  const group = program.command('trace').description('what happened, from the archive of traces')
  group
    .command('instance <group/slot>')
    .description('one Paxos instance, step by step; group 0 are the shardmasters')
    .action(run((session, place: string) => trace.instance(session, place)))
  group
    .command('handoff [shard]')
    .description("a shard's last move, both sides; the last moves of all without a shard")
    .option('--config <n>', 'the move at this configuration')
    .option('--limit <n>', 'how many of all', '20')
    .action(
      run((session, shard: string | undefined, flags: { config?: string; limit: string }) =>
        trace.handoff(session, shard, flags),
      ),
    )
  interval(group.command('slow').description('the slowest instances, and what took their time'))
    .option('--since <time>', 'from then on: 1h, 30m, 2d ago, or ISO 8601', '1h')
    .option('--min-ms <n>', 'only those that took so long')
    .action(
      run((session, flags: trace.SinceFlags & { minMs?: string }) => trace.slow(session, flags)),
    )
  group
    .command('request <trace-id>')
    .description('a client request, and the instances that decided it; a traceparent will do')
    .action(run((session, id: string) => trace.request(session, id)))
  interval(group.command('timeline').description('elections, configurations, starts, snapshots'))
    .option('--since <time>', 'from then on: 1h, 30m, 2d ago, or ISO 8601', '24h')
    .action(run((session, flags: trace.SinceFlags) => trace.timeline(session, flags)))
}

function interval(command: Command): Command {
  return command
    .option('--until <time>', 'up to then')
    .option('--group <gid>', 'of this group; 0: the shardmasters')
    .option('--limit <n>', 'how many', '20')
}
