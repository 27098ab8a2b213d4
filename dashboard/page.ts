// What a page is: a path, the role that it needs, a model that is loaded, and views of it. From the
// one model come the page, its JSON twin, and its parts, each of which has a URL of its own.

import { ShardglassError } from '../server/client/clerk.ts'
import type { Role } from '../server/http/auth.ts'
import type { Html } from './html.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'

export type PageContext = {
  readonly services: Services
  readonly session: Session
  /** From the path's template. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
}

/** Instead of a model: a sentence that says what to do. */
export class Missing {
  readonly status: number
  readonly text: string

  constructor(status: number, text: string) {
    this.status = status
    this.text = text
  }
}

export type Section =
  | 'overview'
  | 'reconfigure'
  | 'configs'
  | 'groups'
  | 'instances'
  | 'handoffs'
  | 'traces'
  | 'keys'
  | 'charts'
  | 'settings'

export type Page<Model> = {
  /** `/groups/{gid}`; a parameter is one segment. */
  readonly path: string
  /** Of paths that the template takes, those that are this page's; default: all. */
  fits?(params: Readonly<Record<string, string>>): boolean
  readonly role: Role
  /** `key`: open to tokens that are for keys of one prefix alone. */
  readonly scope?: 'key' | 'node'
  readonly section: Section
  readonly title: (model: Model) => string
  load(context: PageContext): Promise<Model | Missing>
  /** The body of the page, with its parts in place. */
  view(model: Model, context: PageContext, part: (name: string) => Html): Html
  /** Parts that are brought up to date while the page is open; the same for all who may see it. */
  readonly parts?: Readonly<Record<string, (model: Model, context: PageContext) => Html>>
  /** What of the model the JSON twin gives; default: all. */
  json?(model: Model): unknown
  /** Without scripts the page loads itself again every few seconds; not where one types. */
  readonly isReloading?: boolean
}

/** What a form does. */
export type Action = {
  readonly path: string
  readonly role: Role
  readonly scope?: 'key' | 'node'
  /** Bytes of the form at most. */
  readonly bytesMax?: number
  run(context: PageContext, form: URLSearchParams): Promise<Outcome>
}

export type Outcome =
  | { readonly type: 'go'; readonly to: string }
  /** The page of that section, with this in it. */
  | {
      readonly type: 'show'
      readonly status: number
      readonly section: Section
      readonly title: string
      readonly body: Html
    }

/** A page as it was loaded once; its views are of one and the same model. */
export type LoadedPage = {
  readonly title: string
  /** What the JSON twin gives. */
  twin(): unknown
  view(context: PageContext, part: (name: string) => Html): Html
  /** Null where the page has no such part. */
  part(name: string, context: PageContext): Html
}

/** A page whose model nobody outside needs to know the type of. */
export type AnyPage = Pick<
  Page<unknown>,
  'path' | 'fits' | 'role' | 'scope' | 'section' | 'isReloading'
> & {
  readonly partNames: readonly string[]
  load(context: PageContext): Promise<LoadedPage | Missing>
}

export function page<Model>(definition: Page<Model>): AnyPage {
  const { title, view, json, parts = {}, load, ...rest } = definition
  return {
    ...rest,
    partNames: Object.keys(parts),
    async load(context) {
      const model = await load(context)
      if (model instanceof Missing) return model
      return {
        title: title(model),
        twin: () => (json === undefined ? model : json(model)),
        view: (viewContext, part) => view(model, viewContext, part),
        part: (name, viewContext) => parts[name]?.(model, viewContext) ?? null,
      }
    },
  }
}

/** What a page says where the cluster does not answer. */
export async function loaded(page: AnyPage, context: PageContext): Promise<LoadedPage | Missing> {
  try {
    return await page.load(context)
  } catch (error) {
    if (!(error instanceof ShardglassError)) throw error
    return new Missing(error.status === 404 ? 404 : 503, sentenceOf(error))
  }
}

/** A refusal or silence of the cluster, and what to do about it. */
export function sentenceOf(error: ShardglassError): string {
  const advice =
    error.outcome === 'unknown' ? ' It may take effect yet: look before you repeat it.' : ''
  return `${error.detail}.${advice}`
}

export type Match = { readonly params: Readonly<Record<string, string>> }

/** Whether a path is one of a template; `null` when not. Segments are percent-decoded. */
export function matchPath(template: string, path: string): Match | null {
  const wanted = template.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [index, segment] of wanted.entries()) {
    const value = decoded(given[index] ?? '')
    if (value === null) return null
    const name = /^\{(\w+)\}$/.exec(segment)?.[1]
    if (name === undefined && segment !== value) return null
    if (name !== undefined && value === '') return null
    if (name !== undefined) params[name] = value
  }
  return { params }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null // no page has such a name
  }
}

/** A whole number from `least` to `most`, or null. */
export function wholeParam(
  text: string | null | undefined,
  least: number,
  most: number,
): number | null {
  if (text === null || text === undefined || !/^\d{1,16}$/.test(text)) return null
  const number = Number(text)
  return Number.isSafeInteger(number) && number >= least && number <= most ? number : null
}
