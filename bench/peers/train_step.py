"""PyTorch's side of bench/train-step.ts: one SGD step of a residual network for each line on standard input.

Prints one JSON line a step: {"milliseconds": ..., "loss": ...}. The batch is random and always the same.
"""

import argparse
import json
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("PyTorch is missing for this Python (Debian: apt-get install python3-torch)")

from resnet import DEPTHS, ResNet


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=["2d", "3d"], default="2d")
    parser.add_argument("--backbone", choices=list(DEPTHS), default="resnet_18")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--height", type=int, default=224)
    parser.add_argument("--width", type=int, default=224)
    parser.add_argument("--channels", type=int, default=3, help="of a frame")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps; 0: when the input ends")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    volume = options.net == "3d"
    planes = [options.channels, options.frames] if volume else [options.channels * options.frames]
    network = ResNet(planes[0], options.classes, volume, options.backbone).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()
    x = torch.randn(options.batch, *planes, options.height, options.width)
    y = torch.arange(options.batch) % options.classes

    step = 0
    # readline, because iterating over standard input may wait for a full buffer.
    while sys.stdin.readline():
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(network(x), y)
        loss.backward()
        optimizer.step()
        value = loss.item()
        milliseconds = (time.perf_counter() - started) * 1000
        print(json.dumps({"milliseconds": milliseconds, "loss": value}), flush=True)
        step += 1
        if step == options.steps:
            break


if __name__ == "__main__":
    main()
