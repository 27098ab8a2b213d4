// Keys: what one holds, where it lives, and changing it, with a condition where one wants to be sure.

import { bytes } from '../format.ts'
import { hasRole } from '../gate.ts'
import { cut, visible } from '../html.ts'
import { type KeyAnswer, type KeyOperation, type KeyPlace, runKey } from '../key-client.ts'
import { Csrf, Notice, Panel } from '../layout.tsx'
import { type Action, type Outcome, type PageContext, page } from '../page.ts'
import type { Session } from '../session.ts'
import { fromHex, isFieldText, isUtf8, type ValueForm, ValueView } from '../value-view.tsx'

type KeysModel = {
  readonly key: string | null
  readonly form: ValueForm
  readonly found: KeyAnswer | null
  /** What a form just did. */
  readonly notice: { readonly level: 'ok' | 'warn' | 'bad'; readonly text: string } | null
}

const KEY_BYTES_MAX = 1024
/** A larger value is not put into the text field to be edited. */
const PREFILL_BYTES_MAX = 64 * 1024
/** A value of a mebibyte, three characters a byte. */
const FORM_BYTES_MAX = 3.5 * 1024 * 1024

export const keysPage = page<KeysModel>({
  path: '/keys',
  role: 'reader',
  scope: 'key',
  section: 'keys',
  title: ({ key }) => (key === null ? 'Keys' : `Key ${visible(cut(key, 60))}`),
  async load(context) {
    const { query } = context
    const key = query.get('key')
    const form: ValueForm = query.get('as') === 'hex' ? 'hex' : 'text'
    if (key === null || key === '') return { key: null, form, found: null, notice: null }
    return { key, form, found: await lookedUp(context, key), notice: noticeOf(query.get('did')) }
  },
  json: ({ key, found }) => ({
    key,
    found:
      found === null
        ? null
        : { ...found, value: found.value === null ? null : jsonValue(found.value) },
  }),
  view: (model, { session }) => <Keys model={model} session={session} />,
})

function jsonValue(value: Buffer): string | { readonly base64: string } {
  return isUtf8(value) ? value.toString('utf8') : { base64: value.toString('base64') }
}

async function lookedUp(context: PageContext, key: string): Promise<KeyAnswer> {
  const { services, session } = context
  const view = await services.reader.current()
  const { connections, keyNodes } = services
  return runKey({ op: 'get', key }, { connections, keyNodes, view, token: session.token })
}

const DID: Readonly<Record<string, string>> = {
  put: 'Written.',
  delete: 'Deleted.',
  puthash: 'Written: the hash of the previous value and yours.',
}

function noticeOf(did: string | null): KeysModel['notice'] {
  const text = DID[did ?? '']
  return text === undefined ? null : { level: 'ok', text }
}

function Keys({ model, session }: { readonly model: KeysModel; readonly session: Session }) {
  const { key, form, found, notice } = model
  const mayWrite = hasRole(session, 'writer')
  return (
    <>
      <h1>Keys</h1>
      <form class="row" method="get" action="/keys">
        <label class="grow">
          Key
          <input
            name="key"
            value={key ?? ''}
            required
            maxlength={KEY_BYTES_MAX}
            spellcheck={false}
            autocomplete="off"
          />
        </label>
        <label>
          Value as
          <select name="as">
            <option value="text">text</option>
            <option value="hex" selected={form === 'hex'}>
              hexadecimal
            </option>
          </select>
        </label>
        <button class="primary" type="submit">
          Look up
        </button>
      </form>
      {notice === null ? null : <Notice level={notice.level}>{visible(notice.text)}</Notice>}
      {key === null || found === null ? (
        <p class="dim">Reads are linearizable, from the group that owns the key’s shard now.</p>
      ) : (
        <div class="halves">
          <Found keyText={key} found={found} form={form} />
          {mayWrite ? <Write keyText={key} found={found} form={form} session={session} /> : null}
        </div>
      )}
    </>
  )
}

function Found({
  keyText,
  found,
  form,
}: {
  readonly keyText: string
  readonly found: KeyAnswer
  readonly form: ValueForm
}) {
  return (
    <Panel title={cut(visible(keyText), 200)}>
      {found.isAbsent ? <p>This key is absent.</p> : null}
      {found.problem !== null && !found.isAbsent ? (
        <Notice level="bad">{visible(found.problem)}</Notice>
      ) : null}
      {found.value === null ? null : <ValueView value={found.value} form={form} />}
      <Place place={found.place} version={found.version} />
    </Panel>
  )
}

function Place({ place, version }: { readonly place: KeyPlace; readonly version: string | null }) {
  const { shard, group, config, slot } = place
  return (
    <dl class="facts">
      <dt>Version</dt>
      <dd>{version ?? '–'}</dd>
      <dt>Shard</dt>
      <dd>{shard ?? '–'}</dd>
      <dt>Group</dt>
      <dd>{group === null ? '–' : <a href={`/groups/${group}`}>{group}</a>}</dd>
      <dt>Configuration</dt>
      <dd>{config === null ? '–' : <a href={`/configs/${config}`}>{config}</a>}</dd>
      {slot === null || group === null ? null : (
        <>
          <dt>Slot</dt>
          <dd>
            <a href={`/groups/${group}/instances/${slot}`}>{slot}</a>
          </dd>
        </>
      )}
    </dl>
  )
}

/** What the text field begins with; null: what is there is not shown, and why. */
function prefillOf({ value, isAbsent }: KeyAnswer, form: ValueForm) {
  if (isAbsent) return { text: '', isHex: form === 'hex', reason: null }
  const none = { text: null, isHex: form === 'hex' }
  if (value === null)
    return { ...none, reason: 'What is there now is not known; what you put replaces it whole.' }
  if (value.length > PREFILL_BYTES_MAX)
    return {
      ...none,
      reason: `The value, of ${bytes(value.length)}, is too large to be edited here; what you put replaces it whole.`,
    }
  const isHex = form === 'hex' || !isFieldText(value)
  return { text: value.toString(isHex ? 'hex' : 'utf8'), isHex, reason: null }
}

function Write(props: {
  readonly keyText: string
  readonly found: KeyAnswer
  readonly form: ValueForm
  readonly session: Session
}) {
  const { keyText, found, form, session } = props
  const { text, isHex, reason } = prefillOf(found, form)
  return (
    <Panel title="Change it">
      {reason === null ? null : <Notice level="warn">{reason}</Notice>}
      <form class="stack" method="post" action="/keys">
        <Csrf session={session} />
        <input type="hidden" name="key" value={keyText} />
        <label>
          Value
          <textarea name="value" rows={6} spellcheck={false}>{`\n${text ?? ''}`}</textarea>
        </label>
        <label>
          Written as
          <select name="as">
            <option value="text">text (line ends are stored as LF)</option>
            <option value="hex" selected={isHex}>
              hexadecimal
            </option>
          </select>
        </label>
        <Condition found={found} isOpen={text === null} />
        <div class="buttons">
          <button class="primary" type="submit" name="op" value="put">
            Put
          </button>
          <button type="submit" name="op" value="puthash">
            PutHash
          </button>
          <button class="danger" type="submit" name="op" value="delete" disabled={found.isAbsent}>
            Delete
          </button>
        </div>
      </form>
    </Panel>
  )
}

/** `isOpen`: nothing is chosen yet, so that one click does not replace what one does not see. */
function Condition({ found, isOpen }: { readonly found: KeyAnswer; readonly isOpen: boolean }) {
  const { version, isAbsent } = found
  return (
    <label>
      Only if
      <select name="condition" required>
        {isOpen ? (
          <option value="" selected>
            choose one
          </option>
        ) : null}
        <option value="any">whatever is there</option>
        {version !== null && !isAbsent ? (
          <option value={version} selected={!isOpen}>
            {`it is still at version ${version}`}
          </option>
        ) : null}
        <option value="*" selected={isAbsent}>
          it is absent
        </option>
      </select>
    </label>
  )
}

export const writeAction: Action = {
  path: '/keys',
  role: 'writer',
  scope: 'key',
  bytesMax: FORM_BYTES_MAX,
  async run(context, form) {
    const { services, session } = context
    const operation = operationOf(form)
    const key = form.get('key') ?? ''
    if (typeof operation === 'string') return shown(context, key, operation, 400)
    const what = `${operation.op} of a key of ${plainBytes(key)}`
    const view = await services.reader.current()
    const { connections, keyNodes } = services
    const asker = { connections, keyNodes, view, token: session.token }
    const work = () => runKey(operation, asker)
    const answer = await services.audit.around(session.grant.name, what, work, resultOf)
    if (answer.problem === null)
      return { type: 'go', to: placeOf(key, operation.op, form.get('as')) }
    const open = answer.isUnknown
      ? ' It may take effect yet: look before you repeat it.'
      : ' Nothing was changed.'
    return shown(context, key, answer.problem + open, 409)
  },
}

/** Keys may be private: the log tells how long it was, and which shard had it. */
function plainBytes(key: string): string {
  return bytes(Buffer.byteLength(key))
}

function resultOf({ problem, place, isUnknown }: KeyAnswer): string {
  const where = place.shard === null ? '' : ` in shard ${place.shard} of group ${place.group}`
  if (problem === null) return `done${where}`
  return isUnknown ? `no clear answer${where}: it may take effect yet` : `refused${where}`
}

function placeOf(key: string, did: string, as: string | null): string {
  const form = as === 'hex' ? '&as=hex' : ''
  return `/keys?key=${encodeURIComponent(key)}&did=${did}${form}`
}

function operationOf(form: URLSearchParams): KeyOperation | string {
  const op = form.get('op')
  const key = form.get('key') ?? ''
  const chosen = form.get('condition') ?? ''
  const condition = chosen === 'any' ? '' : chosen
  if (key === '' || Buffer.byteLength(key) > KEY_BYTES_MAX)
    return `A key has 1 to ${KEY_BYTES_MAX} bytes.`
  if (chosen === '')
    return 'Choose the condition; “whatever is there” replaces what is there, seen or not.'
  if (condition !== '' && condition !== '*' && !/^\d{1,16}$/.test(condition))
    return 'The condition is not understood.'
  if (op === 'delete')
    return condition === '*' ? 'What is absent cannot be deleted.' : { op, key, condition }
  if (op !== 'put' && op !== 'puthash') return 'Choose put, puthash or delete.'
  // Browsers send the lines of a text field with CR LF.
  const text = (form.get('value') ?? '').replaceAll('\r\n', '\n')
  const value = form.get('as') === 'hex' ? fromHex(text) : Buffer.from(text, 'utf8')
  return value === null
    ? 'This is not hexadecimal: two digits a byte.'
    : { op, key, value, condition }
}

async function shown(
  context: PageContext,
  key: string,
  text: string,
  status: number,
): Promise<Outcome> {
  const found = key === '' ? null : await lookedUp(context, key)
  const model: KeysModel = {
    key: key === '' ? null : key,
    form: 'text',
    found,
    notice: { level: 'bad', text },
  }
  const body = <Keys model={model} session={context.session} />
  return { type: 'show', status, section: 'keys', title: 'Keys', body }
}
