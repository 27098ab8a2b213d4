// Cases of the alerts on clients, processes and disks.

import { type AlertCase, histogram, of } from './alert-series.ts'

/** Requests answered each step, right and with an error of that code. */
function requests(right: string, wrong: string, code = 'timeout'): Record<string, string> {
  return {
    [of('requests_total', {}, 'op="put", code="ok"')]: right,
    [of('requests_total', {}, `op="put", code="${code}"`)]: wrong,
  }
}

export const SERVICE_CASES: readonly AlertCase[] = [
  {
    alert: 'ShardglassErrorBudgetBurnsFast',
    stepSeconds: 60,
    fires: { what: '2 % fail', series: requests('0+980x120', '0+20x120'), at: '90m' },
    spares: {
      what: '2 % failed, and none in the last ten minutes',
      series: requests('0+980x120', '0+20x80 1600x40'),
      at: '90m',
    },
  },
  {
    alert: 'ShardglassErrorBudgetBurns',
    stepSeconds: 60,
    fires: { what: '0.7 % fail', series: requests('0+993x420', '0+7x420'), at: '6h' },
    spares: { what: '0.5 % fail', series: requests('0+995x420', '0+5x420'), at: '6h' },
  },
  {
    alert: 'ShardglassErrorBudgetLeaks',
    stepSeconds: 60,
    fires: { what: '0.2 % fail', series: requests('0+998x500', '0+2x500'), at: '8h' },
    spares: {
      what: 'clients send what is wrong',
      series: requests('0+998x500', '0+20x500', 'condition-failed'),
      at: '8h',
    },
  },
  {
    alert: 'ShardglassSlowRequests',
    fires: {
      what: 'five of 100 take seconds',
      series: histogram('request_duration_seconds', '0.2', 5, 'op="put"'),
      at: '12m',
    },
    spares: {
      what: 'big batches do',
      series: histogram('request_duration_seconds', '0.2', 5, 'op="batch"'),
      at: '12m',
    },
  },
  {
    alert: 'ShardglassOverloaded',
    fires: {
      what: '10 refused a second',
      series: requests('0+99x60', '0+50x60', 'overloaded'),
      at: '3m',
    },
    spares: {
      what: 'one every 10 s',
      series: requests('0+99x60', '0 0+1x60', 'overloaded'),
      at: '3m',
    },
  },
  {
    alert: 'ShardglassEventLoopSaturated',
    fires: {
      what: 'always busy',
      series: { [of('event_loop_utilization_ratio')]: '0.99x100' },
      at: '3m',
    },
    spares: { what: 'busy', series: { [of('event_loop_utilization_ratio')]: '0.9x100' }, at: '3m' },
  },
  {
    alert: 'ShardglassRestarting',
    fires: {
      what: 'starts every minute',
      series: { [of('process_start_time_seconds')]: '0x11 60x11 120x11 180x11 240x60' },
      at: '6m',
    },
    spares: {
      what: 'an upgrade',
      series: { [of('process_start_time_seconds')]: '0x30 150x60' },
      at: '6m',
    },
  },
  {
    alert: 'ShardglassFileDescriptors',
    fires: {
      what: '900 of 1,024',
      series: { [of('process_open_fds')]: '900x100', [of('process_max_fds')]: '1024x100' },
      at: '6m',
    },
    spares: {
      what: '800 of 1,024',
      series: { [of('process_open_fds')]: '800x100', [of('process_max_fds')]: '1024x100' },
      at: '6m',
    },
  },
  {
    alert: 'ShardglassFsyncSlow',
    fires: {
      what: 'five of 100 stand still',
      series: histogram('wal_sync_duration_seconds', '0.064', 5),
      at: '6m',
    },
    spares: {
      what: 'one of 200 does',
      series: histogram('wal_sync_duration_seconds', '0.064', 0.4),
      at: '6m',
    },
  },
  {
    alert: 'ShardglassDiskFull',
    fires: {
      what: 'the log of one, the store of another',
      series: {
        [of('wal_is_full')]: '1x20',
        [of('store_full_rounds_total', { replica: 1 })]: '0+1x20',
      },
      at: '1m',
      firing: 2,
    },
    spares: {
      what: 'there is room again',
      series: { [of('wal_is_full')]: '1x3 0x20', [of('store_full_rounds_total')]: '7x20' },
      at: '1m',
    },
  },
  {
    alert: 'ShardglassDiskFilling',
    stepSeconds: 60,
    fires: {
      what: 'a fifth is free, and it goes by 1 % in two minutes; a twentieth is free elsewhere',
      series: {
        [of('disk_free_bytes')]: '500-5x90',
        [of('disk_size_bytes')]: '1000x90',
        [of('disk_free_bytes', { replica: 1 })]: '50x90',
        [of('disk_size_bytes', { replica: 1 })]: '1000x90',
      },
      at: '60m',
      firing: 2,
    },
    spares: {
      what: 'a fifth is free and stays, half is free and goes',
      series: {
        [of('disk_free_bytes')]: '200x90',
        [of('disk_size_bytes')]: '1000x90',
        [of('disk_free_bytes', { replica: 1 })]: '800-5x90',
        [of('disk_size_bytes', { replica: 1 })]: '1000x90',
      },
      at: '60m',
    },
  },
  {
    alert: 'ShardglassStoreBehind',
    fires: {
      what: '200,000 slots are not durable',
      series: { [of('paxos_applied_slot')]: '200000x100', [of('paxos_durable_slot')]: '0x100' },
      at: '6m',
    },
    spares: {
      what: 'a round each second keeps up',
      series: {
        [of('paxos_applied_slot')]: '5000+25000x100',
        [of('paxos_durable_slot')]: '0+25000x100',
      },
      at: '6m',
    },
  },
]
