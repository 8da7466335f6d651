import { writeCheckpoint } from '../../src-main/engine/checkpoint/index.ts'
import { initialState, type NetworkConfig } from '../../src-main/engine/index.ts'

/** Writes the checkpoint of an untrained network, for tests of what is done with one. */
export async function writeRandomCheckpoint(
  path: string,
  over: Partial<NetworkConfig>,
  classNames: string[],
): Promise<void> {
  const network: NetworkConfig = {
    modelType: 'rgb',
    backbone: 'resnet_18',
    inputType: '2d',
    rgbSequenceLength: 2,
    ofSequenceLength: 3,
    height: 32,
    width: 32,
    classCount: classNames.length,
    dropoutRatio: 0,
    fusionFeatures: 64,
    ...over,
  }
  const { parameters, momentum } = initialState(network, 7)
  await writeCheckpoint(path, {
    parameters,
    momentum,
    epoch: 0,
    globalStep: 1,
    network,
    classNames,
    extra: {},
  })
}
