"""PyTorch's side of bench/gestures.ts: trains ResNet18 2D from scratch on a dataset in TAO's layout.

<data>/{train,val}/<class>/<video>/{rgb,u,v}. Training takes one clip a video and epoch by `random_interval`, validation
the `center` clip; frames are resized to size x size (bilinear), scaled by mean and deviation 0.5 and stacked
channel-major. As a PyTorch user with little data would, each frame is decoded and resized once and kept as bytes.

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

from resnet18 import ResNet18


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


def load_video(folder, mode, size):
    """Bytes [planes, frames, size, size]: R, G, B or u, v."""

    def images(part):
        names = sorted(os.listdir(os.path.join(folder, part)))
        return numpy.stack([load_image(os.path.join(folder, part, name), mode == "of", size) for name in names])

    if mode == "rgb":
        return torch.from_numpy(numpy.ascontiguousarray(images("rgb").transpose(3, 0, 1, 2)))
    return torch.from_numpy(numpy.stack([images("u"), images("v")]))


def load_split(root, classes, mode, size):
    videos, labels = [], []
    for label, name in enumerate(classes):
        if not os.path.isdir(os.path.join(root, name)):
            continue
        for video in folders(os.path.join(root, name)):
            videos.append(load_video(os.path.join(root, name, video), mode, size))
            labels.append(label)
    if not videos:
        sys.exit(f"No videos in {root}")
    return videos, torch.tensor(labels)


def random_interval(available, wanted, random):
    if available < wanted:
        return numpy.sort(random.integers(0, available, wanted))
    interval = available // wanted
    return numpy.arange(wanted) * interval + random.integers(0, interval, wanted)


def center(available, wanted):
    interval = available / wanted
    return (interval / 2 + interval * numpy.arange(wanted)).astype(int)


def batch_of(videos, picks):
    """[count, planes * frames, size, size], channel-major, in [-1, 1]."""
    clips = torch.stack([video[:, torch.from_numpy(frames)].flatten(0, 1) for video, frames in zip(videos, picks)])
    return clips.float().div_(127.5).sub_(1)


def evaluate(network, videos, labels, frames, batch):
    network.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(videos), batch):
            chosen = videos[start : start + batch]
            x = batch_of(chosen, [center(video.shape[1], frames) for video in chosen])
            right += int((network(x).argmax(1) == labels[start : start + batch]).sum())
    return right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--mode", choices=["rgb", "of"], required=True)
    parser.add_argument("--frames", type=int, required=True)
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
    classes = folders(os.path.join(options.data, "train"))
    validation, validation_labels = load_split(os.path.join(options.data, "val"), classes, options.mode, options.size)

    started = time.perf_counter()
    videos, labels = load_split(os.path.join(options.data, "train"), classes, options.mode, options.size)
    network = ResNet18(options.frames * (3 if options.mode == "rgb" else 2), len(classes))
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
            x = batch_of(clips, [random_interval(clip.shape[1], options.frames, random) for clip in clips])
            loss = criterion(network(x), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(chosen)
        schedule.step()
        spent = time.perf_counter() - started
        seconds += spent
        right = evaluate(network, validation, validation_labels, options.frames, options.batch)
        best = max(best, right)
        line = {"epoch": epoch + 1, "seconds": round(spent, 2), "loss": round(total_loss / len(order), 4)}
        print(json.dumps({**line, "right": right, "total": len(validation)}), flush=True)
    print(json.dumps({"right": right, "total": len(validation), "best": best, "seconds": round(seconds, 2)}), flush=True)


if __name__ == "__main__":
    main()
