# ITDBU on CSNet's extractor, on real photos: its three maps, at strides 2, 4 and 8, are L = 3
# levels. It starts from a training of configs/csnet, see itdbu_samnet_*.
_base_ = [
    '../_base_/models/itdbu.py',
    '../_base_/datasets/msra10k_112x112.py',
    '../_base_/schedules/adam_1000i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        type='sod_plugins.CSNet',
        init_cfg=dict(
            checkpoint='work_dirs/csnet-x1_1xb16-2000i_msra10k-112x112/iter_2000.pth',
        ),
    ),
    decode_head=dict(in_channels=(40, 80, 80)),
)
train_dataloader = dict(batch_size=8)
