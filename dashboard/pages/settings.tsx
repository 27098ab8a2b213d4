// Tokens: who may do what. And the log of what was changed, by whom, with which result.

import { changeTokens, readTokens } from '../../ops/tokens-file.ts'
import { hashToken, newToken, type TokenRecord } from '../../server/http/auth.ts'
import type { AuditEntry } from '../audit.ts'
import { time } from '../format.ts'
import { visible } from '../html.ts'
import { Csrf, Empty, Notice, Panel, Table, Time } from '../layout.tsx'
import { causeText } from '../observations.ts'
import { type Action, type Outcome, type PageContext, page } from '../page.ts'
import type { Session } from '../session.ts'

type SettingsModel = {
  readonly tokens: readonly Omit<TokenRecord, 'hash'>[]
  readonly audit: readonly AuditEntry[]
  /** Of the configurations themselves, who changed them from elsewhere too. */
  readonly configs: readonly { readonly num: number; readonly at: number; readonly text: string }[]
}

const AUDIT_SHOWN = 100

export const settings = page<SettingsModel>({
  path: '/settings',
  role: 'admin',
  section: 'settings',
  title: () => 'Settings',
  load: modelOf,
  view: (model, { session }) => <Settings model={model} session={session} />,
})

async function modelOf({ services }: PageContext): Promise<SettingsModel> {
  const view = await services.reader.current()
  const tokens = services.tokensFile === null ? [] : readTokens(services.tokensFile)
  return {
    tokens: tokens.map(({ hash: _, ...token }) => token),
    audit: services.audit.newest(AUDIT_SHOWN),
    configs: view.recent.map(config => ({
      num: config.num,
      at: config.at,
      text: causeText(config),
    })),
  }
}

type Made = { readonly name: string; readonly token: string }
type Shown = {
  readonly model: SettingsModel
  readonly session: Session
  readonly made?: Made
  readonly problem?: string
}

function Settings({ model, session, made, problem }: Shown) {
  return (
    <>
      <h1>Settings</h1>
      {problem === undefined ? null : <Notice level="bad">{visible(problem)}</Notice>}
      {made === undefined ? null : <NewToken {...made} />}
      <div class="halves">
        <Tokens model={model} session={session} />
        <CreateToken session={session} />
      </div>
      <Panel title="Audit log" note="what was done through this dashboard, newest first">
        <AuditTable entries={model.audit} />
      </Panel>
      <Panel
        title="Changes of the configuration"
        note="from everywhere, kept in the configurations themselves"
      >
        <ul class="events">
          {model.configs.map(({ num, at, text }) => (
            <li>
              <Time ms={at} text={time(at)} />{' '}
              <a href={`/configs/${num}`}>{`${num}: ${visible(text)}`}</a>
            </li>
          ))}
        </ul>
      </Panel>
    </>
  )
}

function NewToken({ name, token }: Made) {
  return (
    <Notice level="ok">
      <p>{`The token ${name} is made. It is shown this once; only its hash is kept:`}</p>
      <pre tabindex={0}>{token}</pre>
    </Notice>
  )
}

function Tokens({ model, session }: Shown) {
  return (
    <Panel title="Tokens" note="nodes take note of a change within a moment">
      <Table label="Tokens" head={['Name', 'Role', 'Keys', '']}>
        {model.tokens.map(({ name, role, prefix }) => (
          <tr>
            <th scope="row">{name}</th>
            <td>{role}</td>
            <td class="mono">{prefix === undefined ? 'all' : `${visible(prefix)}…`}</td>
            <td>
              <form method="post" action="/settings/revoke">
                <Csrf session={session} />
                <input type="hidden" name="name" value={name} />
                <button
                  class="quiet"
                  type="submit"
                  aria-label={name === session.grant.name ? undefined : `Revoke ${name}`}
                  disabled={name === session.grant.name}
                >
                  {name === session.grant.name ? 'in use by you' : 'Revoke'}
                </button>
              </form>
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function CreateToken({ session }: { readonly session: Session }) {
  return (
    <Panel title="Make a token">
      <form class="stack" method="post" action="/settings/tokens">
        <Csrf session={session} />
        <label>
          Name, kept as the actor of changes
          <input
            name="name"
            required
            maxlength={64}
            pattern="[A-Za-z0-9._@\-]+"
            autocomplete="off"
          />
        </label>
        <label>
          Role
          <select name="role">
            <option value="reader">reader: sees everything, changes nothing</option>
            <option value="writer">writer: keys as well</option>
            <option value="admin">admin: configurations, leaders and tokens as well</option>
          </select>
        </label>
        <label>
          Only keys that begin with (empty: all)
          <input name="prefix" maxlength={200} autocomplete="off" spellcheck={false} />
        </label>
        <div class="buttons">
          <button class="primary" type="submit">
            Make it
          </button>
        </div>
      </form>
    </Panel>
  )
}

function AuditTable({ entries }: { readonly entries: readonly AuditEntry[] }) {
  if (entries.length === 0) return <Empty>Nothing yet.</Empty>
  return (
    <Table label="Audit log" head={['When (UTC)', 'Who', 'What', 'Result']}>
      {entries.map(({ at, who, what, result }) => (
        <tr>
          <td>
            <Time ms={at} text={time(at)} />
          </td>
          <td>{visible(who)}</td>
          <td class="wrap">{visible(what)}</td>
          <td class="wrap">
            {result === 'begun' ? 'begun; its end was not seen' : visible(result)}
          </td>
        </tr>
      ))}
    </Table>
  )
}

export const createTokenAction: Action = {
  path: '/settings/tokens',
  role: 'admin',
  async run(context, form) {
    const { services, session } = context
    const file = services.tokensFile
    if (file === null)
      return shown(context, 409, { problem: 'This dashboard may not change the tokens file.' })
    const name = (form.get('name') ?? '').trim()
    const role = form.get('role')
    const prefix = form.get('prefix') ?? ''
    if (!/^[A-Za-z0-9._@-]{1,64}$/.test(name))
      return shown(context, 400, { problem: 'A name is 1 to 64 of A–Z a–z 0–9 . _ @ -' })
    if (role !== 'reader' && role !== 'writer' && role !== 'admin')
      return shown(context, 400, { problem: 'Choose a role.' })
    if (prefix !== '' && role === 'admin')
      return shown(context, 400, {
        problem: 'An admin’s token is for everything: leave the prefix empty.',
      })
    if (readTokens(file).some(token => token.name === name))
      return shown(context, 409, { problem: `There is a token ${name} already.` })
    const token = newToken()
    const record: TokenRecord = {
      name,
      role,
      hash: hashToken(token),
      ...(prefix === '' ? {} : { prefix }),
    }
    const what = `make the token ${name} with the role ${role}${prefix === '' ? '' : ' for a prefix'}`
    await services.audit.around(session.grant.name, what, async () =>
      changeTokens(file, known => [...known, record]),
    )
    return shown(context, 200, { made: { name, token } })
  },
}

export const revokeTokenAction: Action = {
  path: '/settings/revoke',
  role: 'admin',
  async run(context, form) {
    const { services, session } = context
    const file = services.tokensFile
    const name = form.get('name') ?? ''
    if (file === null)
      return shown(context, 409, { problem: 'This dashboard may not change the tokens file.' })
    const tokens = readTokens(file)
    const left = tokens.filter(token => token.name !== name)
    if (left.length === tokens.length)
      return shown(context, 404, { problem: 'There is no token of that name.' })
    if (name === session.grant.name)
      return shown(context, 409, {
        problem: 'You are logged in with this token: revoke it from another session.',
      })
    if (!left.some(({ role }) => role === 'admin'))
      return shown(context, 409, {
        problem: 'This is the last token of an admin: nobody could make another one.',
      })
    await services.audit.around(session.grant.name, `revoke the token ${name}`, async () =>
      changeTokens(file, () => left),
    )
    return { type: 'go', to: '/settings' }
  },
}

async function shown(
  context: PageContext,
  status: number,
  more: Pick<Shown, never> & { made?: Made; problem?: string },
): Promise<Outcome> {
  const body = <Settings model={await modelOf(context)} session={context.session} {...more} />
  return { type: 'show', status, section: 'settings', title: 'Settings', body }
}
