// Every bound of the system, by name, with its reason. Times are ms unless the name says otherwise.

// Requests (contract of the HTTP API).
/** A key's length in bytes of UTF-8. LMDB takes keys of up to 1,978 bytes. */
export const KEY_BYTES_MAX = 1024
/** A value's length. One value must fit into one slot with room to spare. */
export const VALUE_BYTES_MAX = 1024 * 1024
/** Operations in one batch request. */
export const BATCH_REQUEST_OPS_MAX = 1000
/** Body of a batch request: many small values, or a few large ones. */
export const BATCH_REQUEST_BYTES_MAX = 8 * 1024 * 1024
export const CLIENT_ID_LENGTH_MAX = 64
/** Requests of one client under way at once: how far its numbers may run apart. */
export const CLIENT_OUTSTANDING_MAX = 64
/** A request whose caller names no deadline. Longer than an election and a shard's pause. */
export const REQUEST_TIMEOUT_MS = 10_000
/** Configurations in one answer, each with all shards and groups. */
export const HISTORY_MAX = 1000

// HTTP server. Node's own defaults (60 s, 300 s, no bound on connections) invite slowloris.
export const HEADERS_TIMEOUT_MS = 10_000
export const BODY_TIMEOUT_MS = 30_000
export const CONNECTIONS_CHECK_MS = 5_000
export const HEADER_BYTES_MAX = 16 * 1024
export const HEADERS_MAX = 100
export const CONNECTIONS_MAX = 5_000

// Sessions.
/** Replies kept per session: a batch's worth and what may be outstanding beside it. */
export const SESSION_REPLIES_MAX = BATCH_REQUEST_OPS_MAX + CLIENT_OUTSTANDING_MAX
/** Bytes of replies kept per session (puthash answers previous values); the newest always is. */
export const SESSION_REPLIES_BYTES_MAX = 4 * 1024 * 1024
/** A session without a request for so long gives up its replies; retries are refused from then on. */
export const SESSION_IDLE_MS = 3_600_000
/** A retired session is remembered for so long after its last request. */
export const SESSION_FORGET_MS = 7 * 24 * 3_600_000
/** Sessions looked at by one logged expiry. */
export const SESSION_EXPIRY_STEP = 1000
export const SESSION_EXPIRY_INTERVAL_MS = 60_000
/** Such commands in the log's queue at once: clients' writes must not wait behind a long round. */
export const SESSION_EXPIRIES_OPEN_MAX = 16

// Paxos.
/** Commands in one slot. */
export const BATCH_OPS_MAX = 1024
/** Bytes in one slot, unless a single command is larger. */
export const BATCH_BYTES_MAX = 1024 * 1024
/** A peer's message: a slot with the largest command, and its frame. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
/** Slots proposed and not yet decided. */
export const PIPELINE_SLOTS_MAX = 8
/** Decided slots that a step may leave unapplied so that answers to others leave first. */
export const APPLY_BEHIND_SLOTS = 4
export const PIPELINE_BYTES_MAX = 8 * 1024 * 1024
/** Commands waiting for a slot: beyond, clients are told to come back. */
export const QUEUE_OPS_MAX = 20_000
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024
/** Reads waiting for a confirmation. */
export const READS_MAX = 50_000
/** Most of the cost of an idle cluster: each beat wakes five times in a group of three. A follower's
 * patience (below) holds two, a lease one with its answer; a longer one would not survive a lost beat. */
export const HEARTBEAT_MS = 200
/** A follower starts an election after a random time in this range without its leader. */
export const ELECTION_TIMEOUT_MIN_MS = 450
export const ELECTION_TIMEOUT_MAX_MS = 900
/** No vote for another while a leader was heard within this time: what leases stand on. */
export const LEASE_MS = 350
/** Clocks run apart by no more than this fraction: a leader uses so much less of its lease. */
export const CLOCK_DRIFT_MAX = 0.1
/** An accept without an answer is sent again after as long as answers usually take, at least … */
export const RESEND_MIN_MS = 20
/** … and at most so long: several times before a client's attempt ends, … */
export const RESEND_MS = 100
/** … and so many bytes of values per follower at once: what is slow is not always lost. */
export const RESEND_ROUND_BYTES = 256 * 1024
/** Of one slot so many are told with its decision; all are counted. Without a quorum they go on. */
export const RESENDS_TOLD_MAX = 32
/** A candidate asks the silent again, at first after this: several times while a network is whole
 * for 100 ms; then ever more rarely, for messages may be slow and not lost. */
export const ELECTION_ASK_MS = 25
/** Own records without a durable write for so long: the leader's disk is sick, it steps down. */
export const OWN_DISK_TIMEOUT_MS = 1_000
/** A gap in the log is fetched only when it has lasted: accepts may overtake each other. */
export const FETCH_DELAY_MS = 30
/** A catch-up request without an answer is repeated, at another replica: soon at first, then … */
export const FETCH_TIMEOUT_MIN_MS = 80
/** … after twice as long each time, up to this. */
export const FETCH_TIMEOUT_MS = 500
export const FETCH_BYTES_MAX = 1024 * 1024
/** How far a candidate may lag: it must be given all that its voters know in one promise. */
export const CANDIDATE_LAG_SLOTS_MAX = 256
export const HELLO_MS = 200
/** A follower calls its leader unasked this often, … */
export const LEADER_CALL_MS = 500
/** … and a leader that no quorum could call for so long steps down: three calls in a row may be lost. */
export const LEADER_UNCALLED_MS = 2_000
/** Decided slots kept for lagging peers; further behind, a snapshot is cheaper. */
export const LOG_RETAINED_SLOTS = 10_000
export const LOG_RETAINED_BYTES = 16 * 1024 * 1024
export const SNAPSHOT_CHUNK_BYTES = 512 * 1024
/** A snapshot that nobody reads from any more is let go: it holds pages of the store. */
export const SNAPSHOT_IDLE_MS = 10_000

// Shards.
/** Shards of a cluster (fixed when it is created); 4 bytes in store keys. */
export const SHARDS_MAX = 1_000_000
/** A group's question for new configurations is kept open for so long: also the time for which a
 * group may miss a change when the shardmaster that it asked dies. */
export const CONFIG_POLL_MS = 1_000
/** … and repeated, at another shardmaster, when it was not answered; … */
export const CONFIG_POLL_TIMEOUT_MS = CONFIG_POLL_MS + 500
/** … much sooner where groups are few: the question, its answer or its receiver may be lost. */
export const CONFIG_POLL_REPEAT_MS = 250
/** Configurations in one answer to a poll. */
export const CONFIGS_PER_POLL = 16
/** A part of a shard on its way: small enough to keep other requests' latency. */
export const HANDOFF_CHUNK_BYTES = 256 * 1024
/** Parts under way from one group to another: bounds memory on both sides. */
export const HANDOFFS_PARALLEL = 8
/** The receiver was not there yet, or has no leader at the moment. */
export const HANDOFF_RETRY_MS = 30
/** A part without an answer is sent again, to another replica of the receiving group: first after
 * this time, for most often a message was lost, … */
export const HANDOFF_TIMEOUT_MIN_MS = 200
/** … each time after twice as long, up to this: a slow network or disk is not helped by more. */
export const HANDOFF_TIMEOUT_MS = 1_000
/** Keys deleted by one step after a release. */
export const SWEEP_KEYS = 1_000

// Shardmaster.
/** Signed 32 bits, so that a gid is the same number in every client's language. 0 is no group. */
export const GID_MAX = 2 ** 31 - 1
/** The scale to which rebalancing and distribution were measured. */
export const GROUPS_MAX = 10_000
/** Replicas of one group: more do not make it safer, only slower. */
export const GROUP_SERVERS_MAX = 9
/** A configuration holds up to GROUPS_MAX × GROUP_SERVERS_MAX of them. */
export const BASE_URL_LENGTH_MAX = 256
/** Who made a change and why: kept in the configuration for ever. */
export const ACTOR_LENGTH_MAX = 200
export const REASON_LENGTH_MAX = 1000
/** Clients that wait for the next configuration at one replica. */
export const WATCHES_MAX = 10_000
/** Open polls at one shardmaster: each group's, with room for former leaders'. */
export const CONFIG_POLLS_MAX = 2 * GROUPS_MAX
/** Stored bytes of configurations in one poll's answer, at least one: a message must hold it. */
export const CONFIGS_REPLY_BYTES_MAX = 2 * 1024 * 1024
/** Stored bytes of configurations in one history, at least one: it is all in memory at once. */
export const HISTORY_BYTES_MAX = 16 * 1024 * 1024
/** Configurations kept decoded, and their stored bytes: the few newest are those asked for. */
export const CONFIG_CACHE_MAX = 4 * CONFIGS_PER_POLL
export const CONFIG_CACHE_BYTES_MAX = 16 * 1024 * 1024
/** A new leader's proposal of configuration 0 that was not seen applied is repeated. */
export const INIT_RETRY_MS = 1_000
/** Between two steps of one round of session expiry, so that other commands get their turn. */
export const SESSION_EXPIRY_PAUSE_MS = 100

// Host.
/** Requests of this process's own clients without an answer: all that the core may hold at once. */
export const WAITERS_MAX = QUEUE_OPS_MAX + READS_MAX
/** The store is made durable so long after the first change that is not, … */
export const STORE_FLUSH_MS = 1_000
/** … or when the log has grown by so much: what a restart has to read again. */
export const STORE_FLUSH_LOG_BYTES = 8 * 1024 * 1024
/** How long a stopping process tries to give its leadership away and to finish requests. */
export const STOP_GRACE_MS = 2_000
/** … of which so much for requests, once the leadership is gone. */
export const STOP_FINISH_MS = 500

// Peers.
/** Frames waiting for one peer: two of the largest, or a pipeline's worth of slots for catch-up. */
export const PEER_QUEUE_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
export const PEER_QUEUE_FRAMES_MAX = 10_000
/** Given to a socket and not yet taken by the kernel; the rest waits where it can be dropped. */
export const PEER_WINDOW_BYTES = 1024 * 1024
/** A dead peer's answer to a dial; also the deadline of a message sent by POST. */
export const PEER_CONNECT_MS = 1_000
/** Until a dial is answered, another is begun this often: TCP itself tries again after a second,
 * and a network that was whole for half of that would not be used. */
export const PEER_CONNECT_AGAIN_MS = 150
export const PEER_RETRY_MIN_MS = 20
export const PEER_RETRY_MAX_MS = 1_000
/** A peer that was written to and says nothing for so long is asked for a sign of life, … */
export const PEER_SILENT_MS = 300
/** … and dialled anew after this, or two round trips. In all longer than TCP's first two tries. */
export const PEER_DOUBT_MS = 150
/** … unless so much was written to it meanwhile: that takes its time where the network is slow. */
export const PEER_DOUBT_BYTES = 64 * 1024
/** A channel in use is pinged this often; it is given up after so many pings without an answer. */
export const PEER_PING_MS = 750
export const PEER_PINGS_MAX = 2
/** … and one more for each so many bytes on their way: a slow network is not a dead peer. */
export const PEER_PATIENCE_BYTES = 256 * 1024
/** A process that was heard within this time keeps its place against another with its name and life:
 * longer than a follower and its leader are silent to each other. */
export const PEER_TWIN_MS = 2_000
/** A channel without use is closed. Longer than any poll. */
export const PEER_IDLE_MS = 60_000
/** Channels that one peer may have open to us: by address, by URL, and each one's successor. */
export const PEER_CHANNELS_PER_PEER_MAX = 4
/** Posts under way to one peer. */
export const PEER_POSTS_MAX = 64
/** A POST's receiver answers "no content" after this time: before its sender gives up. */
export const PEER_POST_ANSWER_MS = 900
/** Calls to peers without an answer; beyond, they are refused at once. */
export const PEER_CALLS_MAX = WAITERS_MAX
/** Attachments of frames up to this length are copied out of the socket's chunk (64 KiB): a small
 * value that is kept must not pin the chunk that it came in. */
export const FRAME_COPIED_BYTES_MAX = 64 * 1024
/** A text in a message (a reason, a warning, a URL), in UTF-16 units. */
export const MESSAGE_TEXT_MAX = 64 * 1024
/** A key of the store. LMDB takes no longer ones. */
export const STORE_KEY_BYTES_MAX = 1978
