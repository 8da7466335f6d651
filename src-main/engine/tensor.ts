/** A dense tensor in row-major order. */
export interface Tensor {
  dtype: 'float32' | 'int64'
  shape: readonly number[]
  data: Float32Array | BigInt64Array
}

/** Tensors by torch's names without the `model.` prefix, such as `layer1.0.bn1.running_mean`, in torch's layouts. */
export type TensorMap = Map<string, Tensor>
