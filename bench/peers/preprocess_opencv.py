"""The same preprocessing by OpenCV in one process: frames as PNG, DIS flow (medium) as gray JPEG.

    python3 bench/peers/preprocess_opencv.py INPUT OUTPUT

INPUT holds class-named folders of videos, with or without train/ and val/ above. OpenCV keeps its defaults: its own
number of threads, its PNG compression, JPEG quality 95. The last line is one JSON object.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np


def gray_flow(flow):
    """The mapping of TAO's tool: per-frame maximum radius."""
    u, v = flow[..., 0], flow[..., 1]
    radius = max(1.0, float(np.sqrt(u * u + v * v).max()))
    return [(component / radius * 127.999 + 128).astype(np.uint8) for component in (u, v)]


def convert(video, folder, dis):
    for name in ("rgb", "u", "v"):
        (folder / name).mkdir(parents=True)
    capture = cv2.VideoCapture(str(video))
    before, index = None, 0
    while True:
        ok, frame = capture.read()
        if not ok:
            return index
        cv2.imwrite(str(folder / "rgb" / f"{index:06d}.png"), frame)
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if before is not None:
            for name, picture in zip(("u", "v"), gray_flow(dis.calc(before, gray, None))):
                cv2.imwrite(str(folder / name / f"{index - 1:06d}.jpg"), picture)
        before = gray
        index += 1


def main():
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    started = time.perf_counter()
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    videos = sorted(path for path in source.rglob("*.mp4"))
    frames = sum(convert(video, output / video.relative_to(source).with_suffix(""), dis) for video in videos)
    seconds = time.perf_counter() - started
    print(json.dumps({"clips": len(videos), "frames": frames, "seconds": seconds, "threads": cv2.getNumThreads()}))


if __name__ == "__main__":
    main()
