// Changing the configuration: what to do, what it would do, and doing it. Nothing is changed that was
// not shown: a plan is applied to the configuration that it was made on, or not at all.

import { ShardglassError } from '../../server/client/clerk.ts'
import { changesOf, changeText, MOVES_MAX, type Wish, wishOf, wishText } from '../change-form.ts'
import { bytes, plural } from '../format.ts'
import { type GroupView, groupsOf } from '../groups.ts'
import type { Html } from '../html.ts'
import { visible } from '../html.ts'
import { colourOf, Notice, Panel } from '../layout.tsx'
import { type Action, type Outcome, type PageContext, page, sentenceOf } from '../page.ts'
import { type Preview, previewOf } from '../preview.ts'
import { PreviewView } from '../preview-view.tsx'
import { probe } from '../probe.ts'
import type { Session } from '../session.ts'
import { cellsOf } from '../shard-map.ts'

type ReconfigureModel = {
  readonly config: number | null
  readonly groups: readonly Pick<
    GroupView,
    | 'gid'
    | 'isMember'
    | 'assigned'
    | 'answering'
    | 'isSafeToStop'
    | 'hasLeft'
    | 'replicas'
    | 'held'
    | 'keys'
    | 'bytes'
  >[]
  readonly shards: readonly number[]
  /** Groups that run and are in no configuration. */
  readonly spares: readonly { readonly gid: number; readonly servers: readonly string[] }[]
  readonly chosen: number | null
}

const BOXES_MAX = 1_024

export const reconfigure = page<ReconfigureModel>({
  path: '/reconfigure',
  role: 'reader',
  section: 'reconfigure',
  title: () => 'Reconfigure',
  async load({ services, query }) {
    const view = await services.reader.current()
    const groups = groupsOf(view)
    const chosen = query.get('shard')
    return {
      config: view.config?.num ?? null,
      groups,
      shards: view.config?.shards ?? [],
      spares: groups
        .filter(({ isMember, hasLeft, gid }) => gid > 0 && !isMember && !hasLeft)
        .map(spareOf),
      chosen: chosen !== null && /^\d{1,7}$/.test(chosen) ? Number(chosen) : null,
    }
  },
  json: ({ config, shards, spares }) => ({ config, shards, spares }),
  view: (model, { session }) => (
    <>
      <h1>Reconfigure</h1>
      {session.grant.role === 'admin' ? null : (
        <Notice level="note">
          To plan and to apply a change takes a token with the role admin.
        </Notice>
      )}
      <p class="dim">
        Every change is planned first and shown; nothing moves before you apply it. Clients go on
        meanwhile.
      </p>
      <div class="halves">
        <Join {...model} />
        <Leave {...model} />
      </div>
      <Move {...model} />
    </>
  ),
})

function spareOf(group: GroupView) {
  const known = group.replicas.filter(node => node.status !== null)
  return { gid: group.gid, servers: known.map(({ url }) => url) }
}

function Join({ spares }: ReconfigureModel) {
  const [spare] = spares
  return (
    <Panel title="Join a group" note="it takes its share of the shards">
      <form class="stack" method="get" action="/reconfigure/plan">
        <input type="hidden" name="op" value="join" />
        <label>
          Group
          <input name="gid" inputmode="numeric" required value={spare?.gid ?? ''} />
        </label>
        <label>
          Servers, one a line in order of replica id
          <textarea name="servers" required rows={3} spellcheck={false}>
            {spare?.servers.join('\n') ?? ''}
          </textarea>
        </label>
        <div class="buttons">
          <button class="primary" type="submit">
            Plan the join
          </button>
          <span class="dim">
            {spares.length === 0
              ? 'No spare group is known to run.'
              : `Running as spare: ${spares.map(({ gid }) => `group ${gid}`).join(', ')}.`}
          </span>
        </div>
      </form>
    </Panel>
  )
}

function Leave({ groups }: ReconfigureModel) {
  const members = groups.filter(({ gid, isMember }) => gid > 0 && isMember)
  return (
    <Panel title="Let a group leave" note="its shards go to the others first">
      <form class="stack" method="get" action="/reconfigure/plan">
        <input type="hidden" name="op" value="leave" />
        <label>
          Group
          <select name="gid" required>
            {members.map(({ gid, assigned, keys, bytes: size }) => (
              <option
                value={gid}
              >{`group ${gid}: ${plural(assigned.length, 'shard')}, ${plural(keys, 'key')}, ${bytes(size)}`}</option>
            ))}
          </select>
        </label>
        <div class="buttons">
          <button class="primary" type="submit" disabled={members.length === 0}>
            Plan the leave
          </button>
        </div>
      </form>
      {groups
        .filter(({ gid, isMember, hasLeft }) => gid > 0 && !isMember && hasLeft)
        .map(group => (
          <p class="dim">
            {group.isSafeToStop
              ? `Group ${group.gid} has left; it holds nothing any more and is safe to stop.`
              : `Group ${group.gid} has left and holds ${plural(group.held.length, 'shard')} yet: do not stop it.`}
          </p>
        ))}
    </Panel>
  )
}

function Move({ groups, shards, chosen }: ReconfigureModel) {
  const members = groups.filter(({ gid, isMember }) => gid > 0 && isMember)
  return (
    <Panel
      title="Move shards"
      note={`up to ${MOVES_MAX} in one go; a later join or leave evens out again`}
    >
      <form method="get" action="/reconfigure/plan">
        <input type="hidden" name="op" value="move" />
        <div class="row">
          <label>
            Shards by number
            <input
              name="shards"
              placeholder="3, 17, 40-47"
              value={shards.length > BOXES_MAX && chosen !== null ? chosen : ''}
            />
          </label>
          <label>
            To group
            <select name="gid" required>
              {members.map(({ gid }) => (
                <option value={gid}>{`group ${gid}`}</option>
              ))}
            </select>
          </label>
          <button class="primary" type="submit" disabled={members.length === 0}>
            Plan the move
          </button>
        </div>
        {shards.length > BOXES_MAX ? null : <Boxes shards={shards} chosen={chosen} />}
      </form>
    </Panel>
  )
}

function Boxes({
  shards,
  chosen,
}: {
  readonly shards: readonly number[]
  readonly chosen: number | null
}) {
  return (
    <fieldset>
      <legend>or on the map</legend>
      <ol class="map">
        {cellsOf(shards, []).map(({ shard, gid }) => (
          <li class={`cell g${colourOf(gid)}`}>
            <label>
              <b>{shard}</b>
              <i>{gid === 0 ? 'none' : `g${gid}`}</i>
              <input
                type="checkbox"
                name="shard"
                value={shard}
                checked={shard === chosen}
                aria-label={`shard ${shard} of group ${gid}`}
              />
            </label>
          </li>
        ))}
      </ol>
    </fieldset>
  )
}

type PlanModel = { readonly preview: Preview | null; readonly problem: string | null }

export const planPage = page<PlanModel>({
  path: '/reconfigure/plan',
  role: 'admin',
  section: 'reconfigure',
  title: ({ preview }) => (preview === null ? 'No plan' : `Plan: ${wishText(preview.wish)}`),
  async load(context) {
    const wish = wishOf(context.query)
    return typeof wish === 'string' ? { preview: null, problem: wish } : planned(context, wish)
  },
  view: ({ preview, problem }, { session }) =>
    preview === null ? (
      <NoPlan problem={problem ?? ''} />
    ) : (
      <PreviewView preview={preview} session={session} />
    ),
})

/** The shardmasters' refusal is an answer too: what cannot be done, and why. A plan needs their role. */
async function planned(context: PageContext, wish: Wish): Promise<PlanModel> {
  try {
    return { preview: await preview(context, wish), problem: null }
  } catch (error) {
    if (!(error instanceof ShardglassError)) throw error
    return { preview: null, problem: sentenceOf(error) }
  }
}

async function preview({ services, session }: PageContext, wish: Wish): Promise<Preview> {
  const { archive, shardmasters } = services.clients.of(session.token)
  const view = await services.reader.current()
  const ask = (url: string) => probe(services.connections, url, session.token)
  return previewOf(wish, { view, shardmasters, archive, probe: ask })
}

function NoPlan({ problem }: { readonly problem: string }) {
  return (
    <>
      <h1>This cannot be planned</h1>
      <Notice level="bad">{visible(problem)}</Notice>
      <p>
        <a href="/reconfigure">Back</a>; nothing was changed.
      </p>
    </>
  )
}

export const applyAction: Action = {
  path: '/reconfigure/apply',
  role: 'admin',
  async run(context, form) {
    const wish = wishOf(form)
    const base = Number(form.get('base'))
    if (typeof wish === 'string' || !Number.isSafeInteger(base))
      return shown(
        400,
        <NoPlan problem={typeof wish === 'string' ? wish : 'The plan is not complete.'} />,
      )
    const { preview: fresh, problem } = await planned(context, wish)
    if (fresh === null) return shown(409, <NoPlan problem={problem ?? ''} />)
    if (fresh.base !== base) return moved(fresh, base, context.session)
    if (fresh.obstacles.length > 0)
      return shown(409, <PreviewView preview={fresh} session={context.session} />)
    if (needsWord(fresh) && (form.get('confirm') ?? '').trim() !== wordOf(wish)) {
      return shown(
        400,
        <PreviewView
          preview={fresh}
          session={context.session}
          notice={`Type “${wordOf(wish)}” to confirm; nothing was changed.`}
        />,
      )
    }
    return applied(context, fresh, (form.get('reason') ?? '').trim())
  },
}

/** A group that leaves does not come back under its number. */
export function needsWord({ wish }: Preview): boolean {
  return wish.op === 'leave'
}

export function wordOf({ gid }: Wish): string {
  return `group ${gid}`
}

/** One configuration after the other, each on the one before; stops at the first that fails. */
async function applied(
  { services, session }: PageContext,
  plan: Preview,
  reason: string,
): Promise<Outcome> {
  const { shardmasters } = services.clients.of(session.token)
  const changes = changesOf(plan.wish)
  let num = plan.base
  let made = 0
  try {
    for (const change of changes) {
      const options = { ifConfig: num, ...(reason === '' ? {} : { reason }) }
      // One entry each: of several, some may be made and one refused.
      const config = await services.audit.around(
        session.grant.name,
        changeText(change),
        () => shardmasters.change(change, options),
        made => `configuration ${made.num}`,
      )
      num = config.num
      made += 1
    }
    await services.reader.refresh()
    return { type: 'go', to: `/configs/${num}` }
  } catch (error) {
    if (!(error instanceof ShardglassError)) throw error
    const done =
      made === 0
        ? 'Nothing was changed'
        : `${made} of ${changes.length} moves were made, up to configuration ${num}`
    const open = error.outcome === 'unknown' ? ' The last one may take effect yet.' : ''
    return shown(error.status ?? 503, <NoPlan problem={`${error.detail}. ${done}.${open}`} />)
  }
}

function moved(fresh: Preview, base: number, session: Session): Outcome {
  const notice = `The plan was made on configuration ${base}, and ${fresh.base} is the latest now. Nothing was changed; this is the plan as of now.`
  return shown(412, <PreviewView preview={fresh} session={session} notice={notice} />)
}

function shown(status: number, body: Html): Outcome {
  return { type: 'show', status, section: 'reconfigure', title: 'Reconfigure', body }
}
