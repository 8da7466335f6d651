"""PyTorch's side of bench/train-step.ts: one SGD step of ResNet18 for each line on standard input.

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

from resnet18 import ResNet18


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=["2d"], default="2d")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--height", type=int, default=224)
    parser.add_argument("--width", type=int, default=224)
    parser.add_argument("--channels", type=int, default=9)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps; 0: when the input ends")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    network = ResNet18(options.channels, options.classes).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = torch.nn.CrossEntropyLoss()
    x = torch.randn(options.batch, options.channels, options.height, options.width)
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
