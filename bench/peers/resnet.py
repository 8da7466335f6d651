"""Residual networks for PyTorch as TAO builds them: torchvision's with another stem and `fc_cls`.

2D sees the frames of a clip as channels. 3D convolves over them: a stem of 5 frames that, with its pooling, leaves a
quarter of them, and 3x3x3 kernels that keep the rest.
"""

from torch import nn

DEPTHS = {
    "resnet_18": [2, 2, 2, 2],
    "resnet_34": [3, 4, 6, 3],
    "resnet_50": [3, 4, 6, 3],
    "resnet_101": [3, 4, 23, 3],
    "resnet_152": [3, 8, 36, 3],
}


class Block(nn.Module):
    """`layers`: channels, kernel and stride of each convolution."""

    def __init__(self, inputs, layers, stride, volume):
        super().__init__()
        convolution, norm = (nn.Conv3d, nn.BatchNorm3d) if volume else (nn.Conv2d, nn.BatchNorm2d)

        def strides(step):
            return (1, step, step) if volume else step

        self.count = len(layers)
        channels = inputs
        for index, (width, kernel, step) in enumerate(layers, 1):
            setattr(self, f"conv{index}", convolution(channels, width, kernel, strides(step), kernel // 2, bias=False))
            setattr(self, f"bn{index}", norm(width))
            channels = width
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(convolution(inputs, channels, 1, strides(stride), bias=False), norm(channels))

    def forward(self, x):
        out = x
        for index in range(1, self.count + 1):
            out = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(out))
            if index < self.count:
                out = self.relu(out)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, channels, classes, volume=False, backbone="resnet_18"):
        super().__init__()
        if volume:
            self.conv1 = nn.Conv3d(channels, 64, (5, 7, 7), 2, (2, 3, 3), bias=False)
            self.bn1 = nn.BatchNorm3d(64)
            self.maxpool = nn.MaxPool3d((1, 3, 3), 2, (0, 1, 1))
            self.avgpool = nn.AdaptiveAvgPool3d(1)
        else:
            self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.relu = nn.ReLU(inplace=True)
        bottleneck = backbone not in ("resnet_18", "resnet_34")
        inputs = 64
        for stage, depth in enumerate(DEPTHS[backbone]):
            width = 64 * 2**stage
            blocks = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                basic = [(width, 3, stride), (width, 3, 1)]
                layers = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)] if bottleneck else basic
                blocks.append(Block(inputs, layers, stride, volume))
                inputs = layers[-1][0]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc_cls = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Conv3d)):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc_cls(self.avgpool(x).flatten(1))
