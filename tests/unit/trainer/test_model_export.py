"""How much of what was learnt reaches the model, on a real adapter of peft."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from services.trainer.engine import EngineError
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.model_export import check_exportable, scale
from services.trainer.training_job import TrainingJob


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)


@pytest.mark.parametrize("share", [1.0, 0.75, 0.25])
def test_so_much_of_what_was_learnt_is_merged(share):
    base = Net()
    before = base.linear.weight.detach().clone()
    adapted = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=["linear"]))
    layer = adapted.base_model.model.linear
    nn.init.normal_(layer.lora_B["default"].weight)
    learnt = layer.get_delta_weight("default").detach().clone()
    assert learnt.abs().max() > 0
    scale(adapted, share)
    merged = adapted.merge_and_unload().linear.weight
    torch.testing.assert_close(merged, before + share * learnt)


def job(export):
    return TrainingJob("base", None, "train", None, "runs/1", Hyperparameters(), (), export)


@pytest.mark.parametrize(
    ("architecture", "export"),
    [("llama", "adapter"), ("gemma2", "adapter"), ("llama", "gguf"), ("qwen2", "merged")],
)
def test_what_can_be_exported_is_let_through(architecture, export):
    check_exportable(architecture, job(export))


@pytest.mark.parametrize(
    ("architecture", "export"), [("qwen2", "adapter"), ("qwen2", "gguf"), ("gemma2", "gguf")]
)
def test_what_cannot_be_exported_is_refused_before_training(architecture, export):
    with pytest.raises(EngineError, match=f"{architecture} cannot be exported as {export}") as told:
        check_exportable(architecture, job(export))
    assert told.value.reason == "EXPORT_UNSUPPORTED"
