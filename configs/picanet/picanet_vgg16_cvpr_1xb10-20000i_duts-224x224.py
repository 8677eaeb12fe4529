# PiCANet as released, the network of the CVPR 2018 paper: 36,729,687 parameters.
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_20000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='cvpr', global_attention_weight=0))
train_dataloader = dict(batch_size=10)
