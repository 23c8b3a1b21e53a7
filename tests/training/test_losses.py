import pytest
import torch

from napari_swin_litemedsam.training.losses import dice_loss, distillation_loss, heed_loss, stage2_losses, true_iou


def test_where_there_is_no_object_only_the_predicted_iou_is_wrong():
    logits = torch.full((2, 8, 8), 1.0, requires_grad=True)
    iou = torch.tensor([0.9, 0.9], requires_grad=True)
    truth = torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])
    sum(stage2_losses(logits, iou, truth).values()).backward()
    assert logits.grad[0].any()
    assert not logits.grad[1].any()
    assert iou.grad[1] > 0


def test_losses_are_zero_for_the_truth_and_grow_with_the_error():
    truth = torch.zeros(2, 16, 16)
    truth[:, 4:12, 4:12] = 1
    right, wrong = (truth - 0.5) * 60, (0.5 - truth) * 60
    assert sum(stage2_losses(right, torch.ones(2), truth).values()) < 1e-3
    assert (dice_loss(wrong, truth) > 0.9).all()
    assert true_iou(wrong, truth).tolist() == [0, 0]
    assert true_iou(right, truth).tolist() == [1, 1]


def test_distillation_counts_in_units_of_the_teacher_and_skips_free_maps():
    teacher = torch.randn(1, 4, 8, 8)
    assert distillation_loss([teacher, teacher], [teacher, None]) == 0
    assert distillation_loss([teacher + teacher.std()], [teacher]) == pytest.approx(1, abs=1e-4)


def test_only_errors_around_clicks_count_for_these():
    truth = torch.zeros(3, 64, 64)
    truth[:, 16:48, 16:48] = 1
    logits = torch.zeros(3, 64, 64, requires_grad=True)
    clicks = torch.tensor([[[40.0, 20.0]], [[8.0, 60.0]], [[30.0, 30.0]]])
    labels = torch.tensor([[1], [0], [-1]])
    heed_loss(logits, truth, clicks, labels).backward()
    # x before y
    assert logits.grad[0].abs().argmax() == 20 * 64 + 40
    assert logits.grad[0, 20, 40] < 0 < logits.grad[1, 60, 8]
    assert logits.grad[0, 60, 8].abs() < 1e-6
    assert not logits.grad[2].any(), "padding is no click"
    right = (truth - 0.5) * 40
    assert heed_loss(right, truth, clicks, labels) < 1e-3 < heed_loss(-right, truth, clicks, labels)
    assert heed_loss(-right, truth, clicks, torch.full((3, 1), -1)) == 0
