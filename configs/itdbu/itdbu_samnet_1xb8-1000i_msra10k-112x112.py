# ITDBU on SAMNet's backbone, on real photos in small: a quarter of an hour on one CPU core. It
# starts from a training of configs/samnet; for another, set model.backbone.init_cfg.checkpoint.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_1000i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        type='sod_plugins.SAMNet',
        init_cfg=dict(
            checkpoint='work_dirs/samnet_1xb16-2000i_msra10k-112x112/iter_2000.pth',
        ),
    ),
    decode_head=dict(in_channels=(16, 32, 64, 96, 128)),
)
train_dataloader = dict(batch_size=8)
