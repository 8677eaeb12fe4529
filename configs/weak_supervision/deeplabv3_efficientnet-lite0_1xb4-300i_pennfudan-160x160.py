# DeepLabv3 trained on labels made from salient instances and keywords (S4Net, Sec. 5), in small.
_base_ = [
    '../_base_/models/deeplabv3_efficientnet-lite0.py',
    '../_base_/datasets/pennfudan_pseudo_160x160.py',
    '../_base_/schedules/adam_300i.py',
    '../_base_/default_runtime.py',
]
