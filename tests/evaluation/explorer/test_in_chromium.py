"""The explorer as a person uses it, each step compared with what Python makes of the same slots."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monet
import numpy as np
import pytest
from browser import Tab
from scenes.file.reader import SceneFile

SIZE = 32
Compose = Callable[[list[list[float]], list[float]], tuple[np.ndarray, np.ndarray]]
SLOTS = """(() => { const { slots, parts } = explorer.shown; return slots.map(
    ({ scene, slot, z, offset, present }) => ({ scene, slot, z: Array.from(z), offset, present }))
})()"""


@pytest.fixture
def explorer(tab: Tab, quick_page: Path) -> Tab:
    """Returns the page, freshly opened."""
    tab.open(quick_page.as_uri())
    assert tab.errors == []
    return tab


def slots_of(tab: Tab) -> list[dict[str, Any]]:
    return tab.js(SLOTS)


def picture_of(tab: Tab) -> np.ndarray:
    return np.reshape(tab.js("Array.from(explorer.shown.parts.picture)"), (SIZE, SIZE, 3))


def painted(tab: Tab, canvas: str) -> np.ndarray:
    """Returns the bytes of a canvas."""
    read = (
        f"Array.from(document.getElementById('{canvas}').getContext('2d')"
        f".getImageData(0, 0, {SIZE}, {SIZE}).data)"
    )
    return np.reshape(tab.js(read), (SIZE, SIZE, 4))[..., :3]


def check_picture(tab: Tab, compose: Compose) -> list[dict[str, Any]]:
    """Compares the picture with Python's of the slots that are there; returns all slots."""
    slots = slots_of(tab)
    present = [slot for slot in slots if slot["present"]]
    picture, _ = compose([s["z"] for s in present], [s["offset"] for s in present])
    np.testing.assert_allclose(picture_of(tab), picture, atol=1e-3)
    shown = np.clip(picture, 0, 1) * 255
    assert np.abs(painted(tab, "picture") - shown).max() < 1.01
    assert tab.errors == []
    return slots


def object_slot(tab: Tab) -> tuple[int, float, float]:
    """Returns the smallest slot that has the most of ten pixels or more, and one of those."""
    labels = np.reshape(tab.js("Array.from(explorer.shown.labels)"), (SIZE, SIZE))
    slots, counts = np.unique(labels, return_counts=True)
    slot = min((count, slot) for slot, count in zip(slots, counts, strict=True) if count >= 10)[1]
    inside = np.argwhere(labels == slot)
    centre = inside[np.abs(inside - inside.mean(0)).sum(1).argmin()]
    return int(slot), (centre[1] + 0.5) / SIZE, (centre[0] + 0.5) / SIZE


def test_the_scene_is_composed_by_decoded_masks_and_its_loss_is_the_model_s(
    explorer: Tab, compose: Compose, rooms_file: Path
) -> None:
    check_picture(explorer, compose)
    with SceneFile(rooms_file) as file:
        images = file["image"][:1]
    np.testing.assert_array_equal(painted(explorer, "image"), images[0])
    model = monet.load("objects_room_quick")
    parts, loss = model.decompose(images), explorer.js("explorer.loss.was")
    weights = model.loss_config
    assert loss["nll"] == pytest.approx(parts.nll[0], rel=1e-3, abs=2)
    assert loss["latents"] == pytest.approx(weights.beta * parts.kl_latent[0], rel=1e-4)
    assert loss["masks"] == pytest.approx(weights.gamma * parts.kl_mask[0], rel=1e-2, abs=1)
    assert explorer.js("explorer.loss.now") == loss


def test_a_click_takes_the_slot_and_a_drag_moves_it_and_no_other(
    explorer: Tab, compose: Compose
) -> None:
    before = slots_of(explorer)
    slot, x, y = object_slot(explorer)
    explorer.click("#outline", x, y)
    assert explorer.js("explorer.state.chosen") == slot
    assert explorer.js(f"document.getElementById('slot-{slot}').checked")
    from_across = explorer.js("explorer.shown.centre.across")
    to = x + (0.25 if x < 0.5 else -0.25)
    explorer.drag("#outline", (x, y), (to, y))
    after = check_picture(explorer, compose)
    changed = [k for k, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert changed == [slot]
    moved = explorer.js("explorer.shown.centre.across") - from_across
    assert np.sign(moved) == np.sign(to - x)


def test_deleting_shows_what_the_others_have_behind_and_undo_brings_it_back(
    explorer: Tab, compose: Compose
) -> None:
    before = picture_of(explorer)
    slot, x, y = object_slot(explorer)
    explorer.click("#outline", x, y)
    explorer.click("#delete")
    after = check_picture(explorer, compose)
    assert [s["present"] for s in after].count(False) == 1
    assert not after[slot]["present"]
    loss = explorer.js("explorer.loss.now")
    assert loss["nll"] is None, "NaN: the attention has no masks of these slots"
    assert loss["nllAsDrawn"] is not None
    assert "equation 3 is not defined" in explorer.js(
        "document.getElementById('loss-note').textContent"
    )
    explorer.click("#undo")
    np.testing.assert_array_equal(picture_of(explorer), before)
    explorer.key("y", modifiers=2)
    assert not slots_of(explorer)[slot]["present"]
    explorer.click("#reset")
    np.testing.assert_array_equal(picture_of(explorer), before)


def test_the_last_slot_cannot_be_deleted(explorer: Tab) -> None:
    for slot in range(len(slots_of(explorer))):
        explorer.click(f"label[for=slot-{slot}]")
        explorer.click("#delete")
    assert [slot["present"] for slot in slots_of(explorer)].count(True) == 1
    assert explorer.errors == []


def test_a_slot_is_copied_into_another_scene(explorer: Tab, compose: Compose) -> None:
    slot, x, y = object_slot(explorer)
    explorer.click("#outline", x, y)
    z = slots_of(explorer)[slot]["z"]
    explorer.js("document.getElementById('copy-to').value = 2")
    explorer.click("#copy")
    assert explorer.js("explorer.state.scene") == 2
    slots = check_picture(explorer, compose)
    assert slots[-1] == {"scene": 0, "slot": slot, "z": z, "offset": 0, "present": True}
    assert {s["scene"] for s in slots[:-1]} == {2}
    explorer.key("z", modifiers=2)
    assert explorer.js("explorer.state.scene") == 0


def test_raised_logits_bring_a_slot_to_the_front(explorer: Tab, compose: Compose) -> None:
    slot, x, y = object_slot(explorer)
    explorer.click("#outline", x, y)
    share = f"explorer.shown.parts.shares[{slot}].reduce((sum, one) => sum + one)"
    before = explorer.js(share)
    explorer.click("#forward")
    assert check_picture(explorer, compose)[slot]["offset"] == 2
    assert explorer.js(share) > before
    explorer.click("#backward")
    explorer.click("#backward")
    assert check_picture(explorer, compose)[slot]["offset"] == -2
    assert explorer.js(share) < before


def test_single_latents_and_knobs_turn(explorer: Tab, compose: Compose) -> None:
    explorer.click("label[for=slot-1]")
    explorer.js("document.getElementById('latent-fold').open = true")
    explorer.click("input[data-latent='5']", 0.9)
    z = check_picture(explorer, compose)[1]["z"]
    assert 2 < z[5] < 3
    explorer.click("[data-knob=down] input", 0.3)
    assert check_picture(explorer, compose)[1]["z"] != z
    explorer.key("ArrowRight")
    explorer.key("z", modifiers=2)


def test_keys_do_what_the_pointer_does(explorer: Tab, compose: Compose) -> None:
    explorer.js("document.getElementById('outline').focus()")
    explorer.key("3")
    assert explorer.js("explorer.state.chosen") == 2
    before = slots_of(explorer)[2]
    explorer.key("ArrowUp", modifiers=8)
    after = check_picture(explorer, compose)[2]
    assert after["z"] != before["z"]
    original = painted(explorer, "picture")
    explorer.key("o", kinds=("keyDown",))
    assert np.abs(painted(explorer, "picture") - original).max() > 0, "the scene as it was"
    explorer.key("o", kinds=("keyUp",))
    np.testing.assert_array_equal(painted(explorer, "picture"), original)
    explorer.key("Delete")
    assert not check_picture(explorer, compose)[2]["present"]


def test_an_address_opens_the_same_view_with_the_views_that_were_kept(
    explorer: Tab, compose: Compose
) -> None:
    slot, x, y = object_slot(explorer)
    explorer.drag("#outline", (x, y), (0.5, 0.6))
    explorer.click("#forward")
    explorer.click("#keep")
    explorer.click("label[for=scene-1]")
    explorer.click("label[for=slot-2]")
    explorer.click("#delete")
    explorer.click("#copy")
    explorer.key("]")
    address, picture = explorer.js("location.href"), picture_of(explorer)
    slots = slots_of(explorer)
    explorer.open(address)
    assert slots_of(explorer) == slots
    np.testing.assert_array_equal(picture_of(explorer), picture)
    assert explorer.js("location.href") == address
    assert explorer.js("document.querySelectorAll('#gallery figure').length") == 1
    explorer.click("#gallery button")
    assert explorer.js("explorer.state.scene") == 0
    assert check_picture(explorer, compose)[slot]["offset"] == 2


def test_the_picture_is_saved_as_a_png(explorer: Tab) -> None:
    explorer.js(
        "HTMLAnchorElement.prototype.click = function () {"
        " window.saved = [this.download, this.href]; }"
    )
    explorer.click("#save")
    name, address = explorer.js("window.saved")
    assert name == "scene_0.png"
    content = b64decode(address.removeprefix("data:image/png;base64,"))
    assert content.startswith(b"\x89PNG")


def test_a_finger_drags_and_a_phone_needs_no_scrolling_sideways(
    explorer: Tab, compose: Compose
) -> None:
    explorer.size(390, 844, mobile=True)
    explorer.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        explorer.frame()
        assert explorer.js("document.documentElement.scrollWidth") <= 390
        slot, x, y = object_slot(explorer)
        before = slots_of(explorer)[slot]["z"]
        explorer.finger("#outline", (x, y), (x - 0.2 if x > 0.5 else x + 0.2, y))
        assert check_picture(explorer, compose)[slot]["z"] != before
    finally:
        explorer.call("Emulation.setTouchEmulationEnabled", enabled=False)
        explorer.size(1300, 1000)


def test_a_script_that_came_into_the_page_would_not_run(
    quick_page: Path, tab: Tab, tmp_path: Path
) -> None:
    planted = tmp_path / "planted.html"
    script = "<script>document.body.dataset.planted = 1</script>"
    image = "<img src=x onerror='document.body.dataset.planted = 1'>"
    planted.write_text(quick_page.read_text().replace("<main>", f"{image}{script}<main>"))
    tab.open(planted.as_uri())
    assert tab.js("document.body.dataset.planted") is None
    assert tab.js("explorer.state.scene") == 0, "the page's own script ran"
    assert any("Content Security Policy" in error for error in tab.errors)
    tab.errors.clear()


def test_the_loss_of_an_edited_scene_is_that_of_equation_3(explorer: Tab) -> None:
    """Computed anew from what the page shows, with torch and the model's own loss."""
    import torch
    from monet.loss import loss_terms
    from monet.model import Decomposition

    _, x, y = object_slot(explorer)
    explorer.drag("#outline", (x, y), (0.5, 0.5))
    model = monet.load("objects_room_quick")
    image = torch.from_numpy(painted(explorer, "image")).float().movedim(-1, 0)[None] / 255
    z = torch.tensor([[s["z"] for s in slots_of(explorer)]])
    with torch.no_grad():
        before = model(image)
        components, logits = model.vae.decode(z)
        edited = Decomposition(
            before.log_masks, z, before.log_sigma, z, components, logits, logits.log_softmax(1)
        )
        terms = loss_terms(model.loss_config, image, edited)
    now = json.loads(explorer.js("JSON.stringify(explorer.loss.now)"))
    assert now["nll"] == pytest.approx(terms.nll.item(), rel=1e-3, abs=3)
    assert now["latents"] == pytest.approx(
        model.loss_config.beta * terms.kl_latent.item(), rel=1e-4
    )
    assert now["masks"] == pytest.approx(
        model.loss_config.gamma * terms.kl_mask.item(), rel=1e-2, abs=1
    )
