# A classifier that lacks its backbone: a config adds backbone and in_channels.
num_classes = 1000
data_preprocessor = dict(
    type='ImgDataPreprocessor',
    mean=[123.675, 116.28, 103.53],  # RGB, as images are loaded
    std=[58.395, 57.12, 57.375],
)
model = dict(
    type='sod_plugins.ImageClassifier',
    data_preprocessor=data_preprocessor,
    num_classes=num_classes,
)
