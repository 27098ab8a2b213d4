// The pages that are looked at, by the name of their picture.

export function pagesOf(at: {
  readonly config: number
  readonly slot: number
}): readonly (readonly [string, string])[] {
  const { config, slot } = at
  return [
    ['overview', '/'],
    ['reconfigure', '/reconfigure'],
    ['plan', '/reconfigure/plan?op=leave&gid=1'],
    ['configs', '/configs'],
    ['config', `/configs/${config}`],
    ['compare', `/configs/${config - 1}..${config}`],
    ['groups', '/groups'],
    ['group', '/groups/2'],
    ['instances', '/instances'],
    ['instance', `/groups/1/instances/${slot}?step=7`],
    ['handoffs', '/handoffs'],
    ['handoff', `/handoffs/${config}/22`],
    ['traces', '/traces'],
    ['keys', '/keys?key=greeting'],
    ['charts', '/charts'],
    ['settings', '/settings'],
    ['runbook', '/runbook'],
  ]
}
