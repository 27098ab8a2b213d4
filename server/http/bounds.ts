// Bounds of the HTTP side alone, beside those of limits.ts. Times are ms unless the name says otherwise.

/** One question to another replica: a silent one must not use up the caller's whole deadline. */
export const ATTEMPT_TIMEOUT_MS = 1_000
/** Pause before a refused request is tried again: doubling, with jitter. */
export const BACKOFF_MS_MIN = 10
export const BACKOFF_MS_MAX = 100
/** While another replica of the group is asked, the own one is: it may know the outcome, or a newer
 * leader. */
export const OWN_CHECK_MS = 100
/** Replicas of one group asked in a row, hints followed, before pausing. */
export const VISITS_MAX = 8
/** Steps of the shared timer behind all deadlines: they may be late by so much. */
export const DEADLINE_TICK_MS = 25
/** The longest deadline that a caller may ask for (`Shardglass-Timeout-Ms`). */
export const REQUEST_TIMEOUT_MS_MAX = 60_000
/** Lanes of a node's own request numbers, CLIENT_OUTSTANDING_MAX writes each. */
export const LANES_MAX = 1_024
/** Numbers in headers: exact, with room for one more. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER - 1

/** Body of a change of the configuration: a group's servers and a reason. */
export const CHANGE_BYTES_MAX = 64 * 1024
/** Nesting of a JSON body; ours needs 4. */
export const JSON_DEPTH_MAX = 32
/** Members and elements of a JSON body, all levels together: parsing them blocks the process. */
export const JSON_MEMBERS_MAX = 10_000
/** Values that one batch may give back; beyond, the results leave them out. */
export const BATCH_ANSWER_BYTES_MAX = 32 * 1024 * 1024
/** Bodies held by requests that are not answered yet, all together. */
export const BODIES_BYTES_MAX = 256 * 1024 * 1024
/** What is read and dropped after a body was refused, so that the client sees the answer. */
export const DRAIN_BYTES_MAX = 16 * 1024 * 1024

/** Connections that stay open unused; clients keep theirs shorter than this. */
export const KEEP_ALIVE_MS = 65_000
/** Requests that one connection may send ahead of their answers. */
export const PIPELINED_MAX = 64
/** An answer that the client does not read ends its connection. */
export const ANSWER_TIMEOUT_MS = 60_000
/** A comment on an idle event stream: proxies and clients take silence for death. */
export const HEARTBEAT_COMMENT_MS = 15_000
/** Event streams open at once; each holds a connection. */
export const STREAMS_MAX = 500

/** Refused tokens per remote address and minute before the answer is 429. */
export const REFUSALS_PER_MINUTE = 20
/** Addresses whose refusals are counted; the oldest are forgotten first. */
export const REFUSAL_ADDRESSES_MAX = 10_000
