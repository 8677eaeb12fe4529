# PiCANet with GAP in D6 and LAP in D5 to D2 (Tab. 1): 36,739,006 parameters.
_base_ = [
    '../_base_/models/picanet.py',
    '../_base_/datasets/duts_crop224.py',
    '../_base_/schedules/sgd_picanet_40000i.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(setting='6GAP_5432LAP'))
