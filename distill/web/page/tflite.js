// Sizes of a TFLite file's input and outputs, changed in memory: LiteRT.js has no call that resizes an input.
// The file is a flatbuffer: a table is preceded by the distance to its vtable, which holds the offsets of its fields.

const [MODEL_SUBGRAPHS, GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, TENSOR_SHAPE] = [2, 0, 1, 2, 0];

/** A copy of a fully convolutional model whose input is `height` x `width`; its outputs shrink and grow with it. */
export function withInputSize(bytes, height, width) {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const pointer = (at) => at + view.getUint32(at, true);
  const field = (table, index) => {
    const vtable = table - view.getInt32(table, true);
    const entry = 4 + 2 * index;
    const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
    return offset ? pointer(table + offset) : null;
  };
  const items = (vector) => Array.from({ length: view.getUint32(vector, true) }, (_, index) => vector + 4 + 4 * index);
  const graph = pointer(items(field(pointer(0), MODEL_SUBGRAPHS))[0]);
  const tensors = items(field(graph, GRAPH_TENSORS)).map(pointer);
  const shapes = (indices) =>
    items(field(graph, indices)).map((at) => field(tensors[view.getInt32(at, true)], TENSOR_SHAPE));
  const [input] = shapes(GRAPH_INPUTS);
  const [, rows, columns] = items(input).map((at) => view.getInt32(at, true));
  // A set, because tensors of one shape may share it.
  for (const shape of new Set([input, ...shapes(GRAPH_OUTPUTS)])) {
    const [, row, column] = items(shape);
    view.setInt32(row, (view.getInt32(row, true) * height) / rows, true);
    view.setInt32(column, (view.getInt32(column, true) * width) / columns, true);
  }
  return copy;
}
