# A 1x1 classifier on one map of any backbone, by its plain bilinear enlargement: a config adds
# backbone, and in_channels, channels and in_index of the head.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],  # RGB
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # all images have one size: nothing is padded
)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=data_preprocessor,
    # One channel of logits and soft masks. (The acc_seg that the host logs is the share of
    # background.)
    decode_head=dict(
        type='FCNHead',
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
