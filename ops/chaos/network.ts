// A network of the run's own: a namespace with an address for each node, all on one bridge, on which
// the tool and its clients are too. Packets are dropped at their receiver.

import { command } from './command.ts'

const HUB = '10.99.0.1'
const BRIDGE = 'hub'

/** Arguments of an iptables rule for packets that come in. */
export type Rule = readonly string[]

export const hubAddress = HUB

export class Network {
  private readonly addresses = new Map<string, string>()
  private readonly ruled = new Set<string>()
  private readonly names: string[] = []
  private readonly links: string[] = []

  /** One namespace for each name. */
  static async create(names: readonly string[]): Promise<Network> {
    const network = new Network()
    try {
      await ip(`link add name ${BRIDGE} type bridge`)
      await ip(`addr add ${HUB}/24 dev ${BRIDGE}`)
      await ip(`link set dev ${BRIDGE} up`)
      for (const [index, name] of names.entries()) await network.add(name, index)
      return network
    } catch (error) {
      await network.remove().catch(() => undefined) // what was not made cannot go
      throw error
    }
  }

  address(name: string): string {
    const address = this.addresses.get(name)
    if (address === undefined) throw new Error(`no network for ${name}`)
    return address
  }

  /** What a command begins with that is to run in there. */
  enter(name: string): readonly string[] {
    return ['nsenter', `--net=/run/netns/${name}`]
  }

  /** Neither hears the other, clients hear both. */
  async cut(pairs: readonly (readonly [string, string])[]): Promise<void> {
    const rules = new Map<string, Rule[]>()
    for (const [a, b] of pairs) {
      addRule(rules, a, ['-s', this.address(b), '-j', 'DROP'])
      addRule(rules, b, ['-s', this.address(a), '-j', 'DROP'])
    }
    await this.apply(rules)
  }

  /** Replaces the rules of the nodes named. */
  async apply(rules: ReadonlyMap<string, readonly Rule[]>): Promise<void> {
    await Promise.all(
      [...rules].map(async ([name, list]) => {
        this.ruled.add(name)
        const lines = list.map(rule => `-A INPUT ${rule.join(' ')}`)
        const input = ['*filter', ':INPUT ACCEPT', ':OUTPUT ACCEPT', ...lines, 'COMMIT', ''].join(
          '\n',
        )
        const [program = '', ...args] = [...this.enter(name), 'iptables-restore']
        await command(program, args, { input })
      }),
    )
  }

  async heal(): Promise<void> {
    await this.apply(new Map([...this.ruled].map(name => [name, []])))
    this.ruled.clear()
  }

  /**
   * Takes all namespaces away; processes in them are over by now. The links go first and by name:
   * those of a deleted namespace go whenever the kernel comes to it, which may be after the next
   * run has begun.
   */
  async remove(): Promise<void> {
    for (const link of [...this.links, BRIDGE]) await ip(`link del dev ${link}`)
    for (const name of this.names) await ip(`netns del ${name}`)
  }

  private async add(name: string, index: number): Promise<void> {
    const address = `10.99.0.${index + 11}`
    const link = `v${index}`
    await ip(`netns add ${name}`)
    this.names.push(name)
    await ip(`link add ${link} type veth peer name eth0 netns ${name}`)
    this.links.push(link)
    await ip(`link set dev ${link} master ${BRIDGE} up`)
    await ip(`-n ${name} addr add ${address}/24 dev eth0`)
    await ip(`-n ${name} link set dev eth0 up`)
    await ip(`-n ${name} link set dev lo up`)
    this.addresses.set(name, address)
  }
}

export function addRule(rules: Map<string, Rule[]>, name: string, rule: Rule): void {
  rules.set(name, [...(rules.get(name) ?? []), rule])
}

function ip(args: string): Promise<string> {
  return command('ip', args.split(' '))
}
