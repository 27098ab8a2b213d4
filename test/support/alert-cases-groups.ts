// Cases of the alerts on groups and their replicas.

import { type AlertCase, histogram, of } from './alert-series.ts'

/** A group of three: up and voting as given, replica by replica. */
function group(up: readonly number[], votes: readonly (number | null)[] = up) {
  const series: Record<string, string> = {}
  for (const [replica, value] of up.entries()) {
    series[of('up', { replica })] = `${value}x200`
    const vote = votes[replica]
    if (value === 1 && vote !== null) series[of('paxos_is_voter', { replica })] = `${vote}x200`
  }
  return series
}

const leads = (values: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    values.map((value, replica) => [of('paxos_is_leader', { replica }), `${value}x200`]),
  )

export const QUORUM_CASES: readonly AlertCase[] = [
  {
    alert: 'ShardglassReplicaDown',
    fires: { what: 'one of three is down', series: group([1, 0, 1]), at: '2m' },
    spares: { what: 'it is back within a minute', series: { [of('up')]: '0x8 1x100' }, at: '2m' },
  },
  {
    alert: 'ShardglassOneFailureFromLoss',
    fires: { what: 'two of three are up', series: group([1, 0, 1]), at: '7m' },
    spares: { what: 'three of three, or the only one of one', series: group([1, 1, 1]), at: '7m' },
  },
  {
    alert: 'ShardglassQuorumLost',
    fires: {
      what: 'two of three are up, and one of them has no vote',
      series: group([1, 1, 0], [1, 0, null]),
      at: '2m',
    },
    spares: { what: 'two of three are up', series: group([1, 0, 1]), at: '2m' },
  },
  {
    alert: 'ShardglassNoLeader',
    fires: { what: 'nobody leads', series: leads(['0', '0', '0']), at: '1m' },
    spares: { what: 'one leads', series: leads(['0', '1', '0']), at: '1m' },
  },
  {
    alert: 'ShardglassTwoLeaders',
    fires: { what: 'two claim to lead', series: leads(['1', '1', '0']), at: '1m' },
    spares: {
      what: 'two groups have one each',
      series: { ...leads(['1', '0']), [of('paxos_is_leader', { group: 2 })]: '1x100' },
      at: '1m',
    },
  },
  {
    alert: 'ShardglassLeaderFlapping',
    fires: {
      what: 'a change every two minutes',
      series: { [of('paxos_leader_changes_total')]: '0x23 1x23 2x23 3x23 4x23 5x23 6x23 7x23' },
      at: '15m',
    },
    spares: {
      what: 'two changes',
      series: { [of('paxos_leader_changes_total')]: '0x60 1x60 2x60' },
      at: '15m',
    },
  },
  {
    alert: 'ShardglassReplicaNotReady',
    fires: { what: 'not ready', series: { [of('paxos_is_ready')]: '0x100' }, at: '2m' },
    spares: {
      what: 'ready within half a minute',
      series: { [of('paxos_is_ready')]: '0x6 1x100' },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassReplicaHasNoVote',
    fires: { what: 'an emptied disk', series: { [of('paxos_is_voter')]: '0x100' }, at: '6m' },
    spares: {
      what: 'a group that forms at its start',
      series: { [of('paxos_is_voter')]: '0x12 1x100' },
      at: '6m',
    },
  },
]

export const REPLICA_CASES: readonly AlertCase[] = [
  {
    alert: 'ShardglassReplicaLagging',
    fires: {
      what: '2,000 slots behind',
      series: { [of('paxos_peer_lag_slots', {}, 'peer="2"')]: '2000x100' },
      at: '2m',
    },
    spares: {
      what: '900 slots behind',
      series: { [of('paxos_peer_lag_slots', {}, 'peer="2"')]: '900x100' },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassReplicaSilent',
    fires: {
      what: 'silent, longer and longer',
      series: { [of('paxos_peer_silence_seconds', {}, 'peer="2"')]: '0+5x100' },
      at: '1m',
    },
    spares: {
      what: 'an answer every 9 s',
      series: { [of('paxos_peer_silence_seconds', {}, 'peer="2"')]: '9x100' },
      at: '1m',
    },
  },
  {
    alert: 'ShardglassApplyBehind',
    fires: {
      what: 'decides 500 a second, applies 400',
      series: {
        [of('paxos_decided_slot')]: '0+2500x100',
        [of('paxos_applied_slot')]: '0+2000x100',
      },
      at: '2m',
    },
    spares: {
      what: 'applies as fast',
      series: {
        [of('paxos_decided_slot')]: '500+2500x100',
        [of('paxos_applied_slot')]: '0+2500x100',
      },
      at: '2m',
    },
  },
  {
    alert: 'ShardglassPeerSlow',
    fires: {
      what: 'five of 100 are late',
      series: histogram('paxos_peer_answer_seconds', '0.1', 5, 'peer="2"'),
      at: '10m',
    },
    spares: {
      what: 'one of 200 is late',
      series: histogram('paxos_peer_answer_seconds', '0.1', 0.4, 'peer="2"'),
      at: '10m',
    },
  },
  {
    alert: 'ShardglassDuellingProposers',
    fires: {
      what: 'ten refused prepares each second',
      series: { [of('paxos_rejections_total', {}, 'phase="prepare"')]: '0+50x100' },
      at: '3m',
    },
    spares: {
      what: 'refused heartbeats of a deposed leader',
      series: { [of('paxos_rejections_total', {}, 'phase="heartbeat"')]: '0+50x100' },
      at: '3m',
    },
  },
]
