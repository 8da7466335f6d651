/**
 * A run keeps its whole experiment spec (JSON, without the paths of the project; null for runs from before), and an
 * evaluation how many epochs the checkpoint had. Settings tell pictures from motion and height from width.
 */
export const runSpec = `
  ALTER TABLE runs ADD COLUMN experiment TEXT;
  ALTER TABLE evaluations ADD COLUMN epochs INTEGER;
  UPDATE evaluations SET epochs = (SELECT max(epoch) FROM epochs WHERE epochs.run_id = evaluations.run_id);
  UPDATE runs SET settings = json_remove(
    json_set(settings,
      '$.inputType', '2d',
      '$.sampleStrategy', 'random_interval',
      '$.pretrained', json('false'),
      '$.backbone', 'resnet_18',
      '$.rgbFrames', json_extract(settings, '$.frames'),
      '$.ofFrames', json_extract(settings, '$.frames'),
      '$.height', json_extract(settings, '$.size'),
      '$.width', json_extract(settings, '$.size')),
    '$.frames', '$.size');
`
