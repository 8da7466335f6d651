import { choice, integer, path, section } from '../key-kinds.ts'
import { deviceKeys } from './devices.ts'

const modes = ['center', 'conv', 'all'] as const
const modeMeaning =
  'Which clips of a video are looked at: center (one from the middle), conv (video_num_segments of them, spread evenly) or all (every clip of the video, one after the other)'

export const evaluate = section(
  {
    ...deviceKeys,
    checkpoint: path({ meaning: 'The .pth to evaluate.' }),
    test_dataset_dir: path({
      meaning: 'Folder of the test videos; when not given, dataset.val_dataset_dir.',
      tao: "As the page says; TAO's code has no fallback.",
    }),
    batch_size: integer(1, 1, { meaning: 'Number of clips that go through the network at once.' }),
    video_eval_mode: choice(modes, 'center', {
      meaning: `${modeMeaning}; the scores of a video's clips are averaged.`,
      tao: "TAO averages over each batch alone and counts the first clip twice; here the mean is over all clips of a video. all is in TAO's code, not on the page.",
    }),
    video_num_segments: integer(1, 10, {
      meaning: 'Number of clips of a video with conv.',
      onlyWith: { 'evaluate.video_eval_mode': ['conv'], 'model.sample_strategy': ['consecutive'] },
    }),
    top_k: integer(1, 5, {
      meaning: 'Also reports how often the right class is among this many best ones.',
      own: true,
    }),
    results_dir: path({
      meaning: 'Folder of the evaluation results; when not given, evaluate in results_dir.',
    }),
  },
  { meaning: 'Measuring a checkpoint on labelled videos.', commands: ['evaluate'] },
)

export const inference = section(
  {
    ...deviceKeys,
    checkpoint: path({ meaning: 'The .pth to use.' }),
    inference_dataset_dir: path({
      meaning:
        'The videos to name: a folder of prepared videos, a tree of such folders, a folder of video files, or one video file.',
      tao: 'TAO takes a class-level folder only.',
    }),
    batch_size: integer(1, 1, { meaning: 'Number of clips that go through the network at once.' }),
    video_inf_mode: choice(modes, 'center', {
      meaning: `${modeMeaning}; each clip gets its label.`,
      tao: "all is in TAO's code, not on the page.",
    }),
    video_num_segments: integer(1, 1, {
      meaning: 'Number of clips of a video with conv.',
      onlyWith: { 'inference.video_inf_mode': ['conv'], 'model.sample_strategy': ['consecutive'] },
    }),
    results_dir: path({ meaning: 'Folder of the results; when not given, inference in results_dir.' }),
  },
  { meaning: 'Naming the action in unlabelled videos.', commands: ['inference'] },
)

export const exportModel = section(
  {
    checkpoint: path({ meaning: 'The .pth to export.' }),
    onnx_file: path({
      meaning:
        "The file to write; when not given, the checkpoint's name with .onnx. labels.txt is written beside it.",
      tao: 'The page speaks of .etlt; TAO has written .onnx since 5.0.',
    }),
    gpu_id: integer(0, 0, { meaning: 'Accepted; exporting needs no GPU.' }),
    batch_size: integer(1, 1, { meaning: 'Accepted; the exported model takes batches of any size.' }),
    results_dir: path({
      meaning: 'Folder of status.json and experiment.yaml; when not given, export in results_dir.',
    }),
  },
  { meaning: 'Writing a checkpoint as ONNX.', commands: ['export'] },
)
