"""ResNet18 for PyTorch as TAO builds it: torchvision's network with another stem and `fc_cls`.

2D sees the frames of a clip as channels. 3D convolves over them: a stem of 5 frames that, with its pooling, leaves a
quarter of them, and 3x3x3 kernels that keep the rest.
"""

from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, inputs, width, stride, volume):
        super().__init__()
        convolution, norm = (nn.Conv3d, nn.BatchNorm3d) if volume else (nn.Conv2d, nn.BatchNorm2d)
        strides = (1, stride, stride) if volume else stride
        self.conv1 = convolution(inputs, width, 3, strides, 1, bias=False)
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = convolution(width, width, 3, 1, 1, bias=False)
        self.bn2 = norm(width)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(convolution(inputs, width, 1, strides, bias=False), norm(width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += shortcut
        return self.relu(out)


class ResNet18(nn.Module):
    def __init__(self, channels, classes, volume=False):
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

        def stage(inputs, width, stride):
            return nn.Sequential(BasicBlock(inputs, width, stride, volume), BasicBlock(width, width, 1, volume))

        self.layer1 = stage(64, 64, 1)
        self.layer2 = stage(64, 128, 2)
        self.layer3 = stage(128, 256, 2)
        self.layer4 = stage(256, 512, 2)
        self.fc_cls = nn.Linear(512, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc_cls(self.avgpool(x).flatten(1))
