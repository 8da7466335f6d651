import protobuf from 'protobufjs'

/** Fields as `[name, type, number]`; a type ending in `[]` is repeated. */
type Field = readonly [name: string, type: string, number: number]

/**
 * The part of onnx.proto (ONNX 1.12, IR version 8, Apache-2.0) that Kineo reads and writes, field numbers as there.
 * Unknown fields of a foreign file are skipped, as protobuf prescribes.
 */
const messages: Record<string, readonly Field[]> = {
  ModelProto: [
    ['irVersion', 'int64', 1],
    ['producerName', 'string', 2],
    ['producerVersion', 'string', 3],
    ['domain', 'string', 4],
    ['modelVersion', 'int64', 5],
    ['docString', 'string', 6],
    ['graph', 'GraphProto', 7],
    ['opsetImport', 'OperatorSetIdProto[]', 8],
    ['metadataProps', 'StringStringEntryProto[]', 14],
  ],
  StringStringEntryProto: [
    ['key', 'string', 1],
    ['value', 'string', 2],
  ],
  OperatorSetIdProto: [
    ['domain', 'string', 1],
    ['version', 'int64', 2],
  ],
  GraphProto: [
    ['node', 'NodeProto[]', 1],
    ['name', 'string', 2],
    ['initializer', 'TensorProto[]', 5],
    ['docString', 'string', 10],
    ['input', 'ValueInfoProto[]', 11],
    ['output', 'ValueInfoProto[]', 12],
    ['valueInfo', 'ValueInfoProto[]', 13],
  ],
  NodeProto: [
    ['input', 'string[]', 1],
    ['output', 'string[]', 2],
    ['name', 'string', 3],
    ['opType', 'string', 4],
    ['attribute', 'AttributeProto[]', 5],
    ['docString', 'string', 6],
    ['domain', 'string', 7],
  ],
  AttributeProto: [
    ['name', 'string', 1],
    ['f', 'float', 2],
    ['i', 'int64', 3],
    ['s', 'bytes', 4],
    ['t', 'TensorProto', 5],
    ['g', 'GraphProto', 6],
    ['floats', 'float[]', 7],
    ['ints', 'int64[]', 8],
    ['strings', 'bytes[]', 9],
    ['type', 'int32', 20],
  ],
  TensorProto: [
    ['dims', 'int64[]', 1],
    ['dataType', 'int32', 2],
    ['floatData', 'float[]', 4],
    ['int32Data', 'int32[]', 5],
    ['int64Data', 'int64[]', 7],
    ['name', 'string', 8],
    ['rawData', 'bytes', 9],
    ['externalData', 'StringStringEntryProto[]', 13],
    ['dataLocation', 'int32', 14],
  ],
  ValueInfoProto: [
    ['name', 'string', 1],
    ['type', 'TypeProto', 2],
  ],
  TypeProto: [['tensorType', 'TensorTypeProto', 1]],
  TensorTypeProto: [
    ['elemType', 'int32', 1],
    ['shape', 'TensorShapeProto', 2],
  ],
  TensorShapeProto: [['dim', 'DimensionProto[]', 1]],
  DimensionProto: [
    ['dimValue', 'int64', 1],
    ['dimParam', 'string', 2],
  ],
}

function messageType(name: string, fields: readonly Field[]): protobuf.Type {
  const type = new protobuf.Type(name)
  for (const [fieldName, fieldType, number] of fields) {
    const repeated = fieldType.endsWith('[]')
    const element = repeated ? fieldType.slice(0, -2) : fieldType
    // onnx.proto is proto2: lists of numbers are packed only where it says so, and readers accept both.
    type.add(new protobuf.Field(fieldName, number, element, repeated ? 'repeated' : 'optional'))
  }
  return type
}

const root = new protobuf.Root()
for (const [name, fields] of Object.entries(messages)) root.add(messageType(name, fields))

/** protobufjs type of ONNX's `ModelProto`. */
export const modelProto: protobuf.Type = root.lookupType('ModelProto')
