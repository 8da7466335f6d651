"""PyTorch's side of bench/gestures.ts: trains a ResNet18 of TAO from scratch on a dataset in TAO's layout.

<data>/{train,val}/<class>/<video>/{rgb,u,v}. Training takes one clip a video and epoch by `random_interval` or
`consecutive`, validation the `center` clip; frames are resized to size x size (bilinear), scaled by mean and deviation
0.5 and, for 2D, stacked channel-major. With both streams the longer is sampled and the shorter takes its frames from it.
As a PyTorch user with little data would, each frame is decoded and resized once and kept as bytes.

Prints a JSON line an epoch; the last line has right, total (of the last epoch), best, and seconds: the time of decoding
the training frames and of all training, without validation.
"""

import argparse
import json
import os
import sys
import time

try:
    import numpy
    import torch
except ImportError:
    sys.exit("PyTorch is missing for this Python (Debian: apt-get install python3-torch)")
try:
    from PIL import Image
except ImportError:
    Image = None
    try:
        import cv2
    except ImportError:
        sys.exit("Neither PIL nor OpenCV is there for this Python (Debian: apt-get install python3-pil)")

from resnet import ResNet


def folders(path):
    return sorted(entry for entry in os.listdir(path) if not entry.startswith(".") and os.path.isdir(os.path.join(path, entry)))


def load_image(path, gray, size):
    """[size, size] or [size, size, 3] bytes. PIL averages when it shrinks; OpenCV's nearest to that is INTER_AREA."""
    if Image is not None:
        with Image.open(path) as image:
            return numpy.asarray(image.convert("L" if gray else "RGB").resize((size, size), Image.BILINEAR))
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
    if image is None:
        sys.exit(f"Cannot read {path}")
    larger = image.shape[0] < size or image.shape[1] < size
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)
    return image if gray else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def load_video(folder, streams, size):
    """Bytes [planes, frames, size, size] of each stream: R, G, B or u, v."""

    def images(part):
        names = sorted(os.listdir(os.path.join(folder, part)))
        return numpy.stack([load_image(os.path.join(folder, part, name), part != "rgb", size) for name in names])

    video = {}
    if "rgb" in streams:
        video["rgb"] = torch.from_numpy(numpy.ascontiguousarray(images("rgb").transpose(3, 0, 1, 2)))
    if "of" in streams:
        video["of"] = torch.from_numpy(numpy.stack([images("u"), images("v")]))
    return video


def load_split(root, classes, streams, size):
    videos, labels = [], []
    for label, name in enumerate(classes):
        if not os.path.isdir(os.path.join(root, name)):
            continue
        for video in folders(os.path.join(root, name)):
            videos.append(load_video(os.path.join(root, name, video), streams, size))
            labels.append(label)
    if not videos:
        sys.exit(f"No videos in {root}")
    return videos, torch.tensor(labels)


def sample_training(available, wanted, strategy, random):
    if strategy == "consecutive":
        start = random.integers(0, available - wanted + 1) if available > wanted else 0
        return (start + numpy.arange(wanted)) % available
    if available < wanted:
        return numpy.sort(random.integers(0, available, wanted))
    interval = available // wanted
    return numpy.arange(wanted) * interval + random.integers(0, interval, wanted)


def sample_center(available, wanted, strategy):
    if strategy == "consecutive":
        return (max(0, (available - wanted + 1) // 2) + numpy.arange(wanted)) % available
    interval = available / wanted
    return (interval / 2 + interval * numpy.arange(wanted)).astype(int)


def sample(video, lengths, strategy, random):
    """Frame indices of each stream; `random` None takes the centre."""
    available = min(frames.shape[1] for frames in video.values())
    longer = max(lengths, key=lambda stream: lengths[stream])

    def pick(count, wanted):
        if random is None:
            return sample_center(count, wanted, strategy)
        return sample_training(count, wanted, strategy, random)

    chosen = pick(available, lengths[longer])
    picks = {}
    for stream, length in lengths.items():
        if stream == longer:
            picks[stream] = chosen
        elif strategy == "consecutive":
            picks[stream] = chosen[sample_center(len(chosen), length, strategy)]
        else:
            picks[stream] = chosen[pick(len(chosen), length)]
    return picks


def batch_of(videos, picks, stream, volume):
    """[count, planes * frames, size, size], channel-major, or [count, planes, frames, size, size], in [-1, 1]."""
    clips = [video[stream][:, torch.from_numpy(frames[stream])] for video, frames in zip(videos, picks)]
    return torch.stack([clip if volume else clip.flatten(0, 1) for clip in clips]).float().div_(127.5).sub_(1)


class Joint(torch.nn.Module):
    """Two classifiers whose logits, colour first, are fused by two linear layers."""

    def __init__(self, model_rgb, model_of, classes, features=64):
        super().__init__()
        self.model_rgb, self.model_of = model_rgb, model_of
        self.fc1 = torch.nn.Linear(2 * classes, features)
        self.fc2 = torch.nn.Linear(features, classes)

    def forward(self, rgb, of):
        return self.fc2(torch.relu(self.fc1(torch.cat([self.model_rgb(rgb), self.model_of(of)], 1))))


def build(lengths, volume, classes):
    planes = {"rgb": 3, "of": 2}
    streams = {
        stream: ResNet(planes[stream] * (1 if volume else length), classes, volume)
        for stream, length in lengths.items()
    }
    return Joint(streams["rgb"], streams["of"], classes) if len(streams) == 2 else next(iter(streams.values()))


def evaluate(network, videos, labels, lengths, options):
    network.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(videos), options.batch):
            chosen = videos[start : start + options.batch]
            picks = [sample(video, lengths, options.strategy, None) for video in chosen]
            x = [batch_of(chosen, picks, stream, options.volume) for stream in lengths]
            right += int((network(*x).argmax(1) == labels[start : start + options.batch]).sum())
    return right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--rgb-frames", type=int, default=0, help="0 is no colour stream")
    parser.add_argument("--of-frames", type=int, default=0, help="0 is no flow stream")
    parser.add_argument("--strategy", choices=["random_interval", "consecutive"], default="random_interval")
    parser.add_argument("--volume", action="store_true", help="3D network")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--lr-steps", type=int, nargs="*", default=[], help="epochs after which lr falls to a tenth")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random = numpy.random.default_rng(options.seed)
    lengths = {name: count for name, count in [("rgb", options.rgb_frames), ("of", options.of_frames)] if count > 0}
    classes = folders(os.path.join(options.data, "train"))
    validation, validation_labels = load_split(os.path.join(options.data, "val"), classes, lengths, options.size)

    started = time.perf_counter()
    videos, labels = load_split(os.path.join(options.data, "train"), classes, lengths, options.size)
    network = build(lengths, options.volume, len(classes))
    optimizer = torch.optim.SGD(network.parameters(), lr=options.lr, momentum=0.9, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, options.lr_steps, gamma=0.1)
    criterion = torch.nn.CrossEntropyLoss()
    seconds = time.perf_counter() - started
    right, best = 0, 0
    for epoch in range(options.epochs):
        started = time.perf_counter()
        network.train()
        order = random.permutation(len(videos))
        total_loss = 0.0
        for start in range(0, len(order), options.batch):
            chosen = order[start : start + options.batch]
            clips = [videos[index] for index in chosen]
            picks = [sample(clip, lengths, options.strategy, random) for clip in clips]
            x = [batch_of(clips, picks, stream, options.volume) for stream in lengths]
            loss = criterion(network(*x), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(chosen)
        schedule.step()
        spent = time.perf_counter() - started
        seconds += spent
        right = evaluate(network, validation, validation_labels, lengths, options)
        best = max(best, right)
        line = {"epoch": epoch + 1, "seconds": round(spent, 2), "loss": round(total_loss / len(order), 4)}
        print(json.dumps({**line, "right": right, "total": len(validation)}), flush=True)
    print(json.dumps({"right": right, "total": len(validation), "best": best, "seconds": round(seconds, 2)}), flush=True)


if __name__ == "__main__":
    main()
