# What a training does beside model, data, optimizer and rate; as detectron2's common/train.py.
import torch

train = dict(
    output_dir='work_dirs/detectron2',
    init_checkpoint='',
    max_iter=20000,
    amp=dict(enabled=False),
    channels_last=False,
    ddp=dict(broadcast_buffers=False),
    checkpointer=dict(period=1000, max_to_keep=2),
    eval_period=5000,
    log_period=50,
    seed=0,
    device='cuda' if torch.cuda.is_available() else 'cpu',
)
