// OTLP's messages by their published field numbers (opentelemetry-proto 1.x), for protobufjs: an encoder
// and decoder that know nothing of ours or of the SDK's.

import { fromJSON } from '@grpc/proto-loader'

type Fields = Readonly<Record<string, readonly [type: string, id: number, rule?: 'repeated']>>

function message(fields: Fields, oneof?: string) {
  const entries = Object.entries(fields).map(([name, [type, id, rule]]) => {
    return [name, { type, id, ...(rule === undefined ? {} : { rule }) }] as const
  })
  const oneofs = oneof === undefined ? {} : { oneofs: { [oneof]: { oneof: Object.keys(fields) } } }
  return { fields: Object.fromEntries(entries), ...oneofs }
}

const COMMON = {
  AnyValue: message(
    {
      stringValue: ['string', 1],
      boolValue: ['bool', 2],
      intValue: ['int64', 3],
      doubleValue: ['double', 4],
      arrayValue: ['ArrayValue', 5],
      kvlistValue: ['KeyValueList', 6],
      bytesValue: ['bytes', 7],
    },
    'value',
  ),
  ArrayValue: message({ values: ['AnyValue', 1, 'repeated'] }),
  KeyValueList: message({ values: ['KeyValue', 1, 'repeated'] }),
  KeyValue: message({ key: ['string', 1], value: ['AnyValue', 2] }),
  Scope: message({
    name: ['string', 1],
    version: ['string', 2],
    attributes: ['KeyValue', 3, 'repeated'],
    droppedAttributesCount: ['uint32', 4],
  }),
  Resource: message({
    attributes: ['KeyValue', 1, 'repeated'],
    droppedAttributesCount: ['uint32', 2],
  }),
}

const TRACE = {
  ResourceSpans: message({
    resource: ['Resource', 1],
    scopeSpans: ['ScopeSpans', 2, 'repeated'],
    schemaUrl: ['string', 3],
  }),
  ScopeSpans: message({
    scope: ['Scope', 1],
    spans: ['Span', 2, 'repeated'],
    schemaUrl: ['string', 3],
  }),
  Span: message({
    traceId: ['bytes', 1],
    spanId: ['bytes', 2],
    traceState: ['string', 3],
    parentSpanId: ['bytes', 4],
    name: ['string', 5],
    kind: ['int32', 6],
    startTimeUnixNano: ['fixed64', 7],
    endTimeUnixNano: ['fixed64', 8],
    attributes: ['KeyValue', 9, 'repeated'],
    droppedAttributesCount: ['uint32', 10],
    events: ['Event', 11, 'repeated'],
    droppedEventsCount: ['uint32', 12],
    links: ['Link', 13, 'repeated'],
    droppedLinksCount: ['uint32', 14],
    status: ['Status', 15],
    flags: ['fixed32', 16],
  }),
  Event: message({
    timeUnixNano: ['fixed64', 1],
    name: ['string', 2],
    attributes: ['KeyValue', 3, 'repeated'],
    droppedAttributesCount: ['uint32', 4],
  }),
  Link: message({
    traceId: ['bytes', 1],
    spanId: ['bytes', 2],
    traceState: ['string', 3],
    attributes: ['KeyValue', 4, 'repeated'],
    droppedAttributesCount: ['uint32', 5],
    flags: ['fixed32', 6],
  }),
  Status: message({ message: ['string', 2], code: ['int32', 3] }),
}

const SERVICE = {
  Request: message({ resourceSpans: ['ResourceSpans', 1, 'repeated'] }),
  PartialSuccess: message({ rejectedSpans: ['int64', 1], errorMessage: ['string', 2] }),
  Response: message({ partialSuccess: ['PartialSuccess', 1] }),
  TraceService: {
    methods: { Export: { requestType: 'Request', responseType: 'Response', comment: '' } },
  },
}

const loaded = fromJSON(
  { nested: { otlp: { nested: { ...COMMON, ...TRACE, ...SERVICE } } } },
  { longs: String },
)
const service = loaded['otlp.TraceService']
if (service === undefined || 'format' in service) throw new Error('the service is not there')
const method = service.Export
if (method === undefined) throw new Error('the method is not there')

/** ExportTraceServiceRequest → protobuf. Names as in OTLP/JSON, ids as bytes, times as text. */
export const encodeRequest: (request: object) => Buffer = method.requestSerialize
/** protobuf → ExportTraceServiceRequest. */
export const decodeRequest: (body: Buffer) => object = method.requestDeserialize
/** protobuf → ExportTraceServiceResponse. */
export const decodeResponse: (body: Buffer) => object = method.responseDeserialize
