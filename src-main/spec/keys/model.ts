import { choice, flag, fraction, integer, path, section } from '../key-kinds.ts'

const pretrained = 'a .pth of Kineo, of TAO (unencrypted) or of torchvision, an .onnx or a .safetensors file'

/** Smallest side of the input: the last feature map of the network is 32 times smaller. */
const smallestSide = 32

export const model = section(
  {
    model_type: choice(['rgb', 'of', 'joint'], 'rgb', {
      meaning:
        'What the network looks at: rgb (colour frames), of (optical flow), or joint (both, each through a network of its own).',
      tao: "Not given, it is rgb as in TAO's code; the documentation page says joint. Training joint crashes in TAO 5.5 and later.",
    }),
    backbone: choice(
      ['resnet_18', 'resnet_34', 'resnet_50', 'resnet_101', 'resnet_152'],
      'resnet_18',
      {
        meaning:
          'The network, by its number of layers: more layers learn finer differences from more data and take more time; resnet18 and resnet_18 are the same.',
        tao: "The page writes resnet18, TAO's code only knows resnet_18; both are read here. i3d is not built.",
      },
      ['i3d'],
    ),
    input_type: choice(['2d', '3d'], '2d', {
      meaning:
        '2d stacks the frames of a clip as channels and is fast; 3d also convolves over time and takes many times longer.',
    }),
    rgb_seq_length: integer(1, 3, {
      meaning: 'Number of colour frames in a clip.',
      modelTypes: ['rgb', 'joint'],
    }),
    rgb_pretrained_model_path: path({
      meaning: `Weights that the rgb network starts from: ${pretrained}.`,
      tao: 'TAO reads its own and torchvision .pth files only, and nothing that is not named as in its 3D network when input_type is 3d; here 2D weights are inflated to 3D.',
      modelTypes: ['rgb', 'joint'],
      commands: ['train'],
    }),
    rgb_pretrained_num_classes: integer(0, 0, {
      meaning:
        'Number of classes of the pretrained rgb file: 0 when they are the classes of this spec and the last layer is taken over too; otherwise the last layer starts anew.',
      modelTypes: ['rgb', 'joint'],
      commands: ['train'],
    }),
    of_seq_length: integer(1, 10, {
      meaning: 'Number of optical flow images in a clip.',
      modelTypes: ['of', 'joint'],
    }),
    of_pretrained_model_path: path({
      meaning: `Weights that the optical flow network starts from: ${pretrained}.`,
      tao: 'As for rgb_pretrained_model_path.',
      modelTypes: ['of', 'joint'],
      commands: ['train'],
    }),
    of_pretrained_num_classes: integer(0, 0, {
      meaning: 'Number of classes of the pretrained optical flow file; 0 as for rgb_pretrained_num_classes.',
      modelTypes: ['of', 'joint'],
      commands: ['train'],
    }),
    joint_pretrained_model_path: path({
      meaning:
        'Weights that the whole joint network starts from, both streams and the layers that join them.',
      tao: 'TAO does not find the weights of a 2D joint file; here they are found.',
      modelTypes: ['joint'],
      commands: ['train'],
    }),
    pretrained_rescale: flag(false, {
      meaning:
        'Scales the first layer of pretrained weights by its number of input channels when that differs, so that its output keeps its size.',
      own: true,
      commands: ['train'],
    }),
    num_fc: integer(1, 64, {
      meaning: 'Number of hidden units of the layer that joins the scores of both streams.',
      modelTypes: ['joint'],
    }),
    sample_strategy: choice(['consecutive', 'random_interval'], 'consecutive', {
      meaning:
        'Which frames make a clip: consecutive takes frames in a row; random_interval spreads them over the whole video.',
      tao: "Not on the page, which describes consecutive; TAO's code takes random_interval when it is not given.",
    }),
    sample_rate: integer(1, 1, {
      meaning: 'Takes every n-th frame only (2: every other one), so that a clip spans a longer time.',
      onlyWith: { 'model.sample_strategy': ['consecutive'] },
    }),
    dropout_ratio: fraction(
      0.5,
      {
        meaning: 'Share of the features that is left out at random in each training step; 0 leaves none out.',
        tao: '1 is refused: nothing would be left to learn from.',
        commands: ['train'],
      },
      { below: true },
    ),
    input_height: integer(smallestSide, 224, {
      meaning: "Height of the network's input in pixels.",
      tao: "The page has dataset.output_shape: [height, width] instead, which TAO's code does not know; both are read here.",
    }),
    input_width: integer(smallestSide, 224, {
      meaning: "Width of the network's input in pixels.",
      tao: 'As for input_height.',
    }),
  },
  {
    meaning: 'The network and the clips that it sees.',
    commands: ['train', 'evaluate', 'inference', 'export'],
  },
)
