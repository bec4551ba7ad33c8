"""The digits, their copies of a form, and what is measured on an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lib.lab import digits

pictures = arrays(float, (3, 64), elements=st.floats(0, 16))


def picture(dark) -> np.ndarray:
    """An image (64,) black where dark(row, column)."""
    return np.array([[16.0 * bool(dark(row, column)) for column in range(8)] for row in range(8)]).ravel()


def test_the_file_is_whole_and_falls_into_copies_of_one_form():
    data = digits.load()
    assert data.images.shape == (1797, 64)
    assert data.labels.shape == data.forms.shape == (1797,)
    assert data.images.min() == 0
    assert data.images.max() == digits.LEVELS
    sizes = np.bincount(data.forms)
    assert len(sizes) == 14
    assert sizes.sum() == 1797
    assert sizes.min() >= 122
    assert sizes.max() == 130 == np.median(sizes)
    assert (np.diff(data.forms) >= 0).all()
    middle = "9095565098"  # in every copy, after three times all digits
    text = "".join(map(str, data.labels))
    assert all(text[start : start + 50].count(middle) == 1 for start in np.searchsorted(data.forms, np.arange(14)))


def test_a_file_cut_short_or_shuffled_is_refused():
    labels = digits.load().labels
    with pytest.raises(ValueError, match="whole file"):
        digits.copies(labels[:-1])
    with pytest.raises(ValueError, match="whole file"):
        digits.copies(labels[::-1])
    with pytest.raises(ValueError, match="whole file"):
        digits.copies([])


def test_a_copy_lost_from_the_file_is_one_copy_less():
    data = digits.load()
    assert len(np.unique(digits.copies(data.labels[data.forms != 3]))) == 13


def test_ink_is_a_share_of_the_square():
    assert digits.ink(np.zeros(64)) == 0
    assert digits.ink(np.full((2, 64), 16.0)).tolist() == [1, 1]
    assert digits.ink(picture(lambda row, column: column < 2)) == pytest.approx(0.25)


def test_slant_is_columns_to_the_right_for_a_row_up():
    upright = picture(lambda row, column: column == 4)
    slash = picture(lambda row, column: row + column == 7)
    backslash = picture(lambda row, column: row == column)
    steep = picture(lambda row, column: column == 5 - row // 2)
    assert digits.slant([upright, slash, backslash]) == pytest.approx([0, 1, -1])
    assert 0.3 < digits.slant(steep) < 0.7


def test_slant_of_what_has_no_height_is_none():
    assert digits.slant(np.zeros(64)) == 0
    assert digits.slant(picture(lambda row, column: row == 3)) == 0


@given(pictures)
def test_a_mirror_turns_the_slant_round(images):
    mirrored = images.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    found = digits.slant(images)
    assert np.isfinite(found).all()
    assert digits.slant(mirrored) == pytest.approx(-found, abs=1e-6)


@given(arrays(float, (2, 64), elements=st.floats(-50, 50)))
def test_an_image_as_drawn_is_of_the_files_kind_and_stays_so(images):
    drawn = digits.as_drawn(images)
    assert set(np.unique(drawn)) <= set(range(17))
    assert (digits.as_drawn(drawn) == drawn).all()
    inside = (images > 0) & (images < 16)
    assert (np.abs(drawn - images)[inside] <= 0.5).all()


def test_slant_is_the_slope_of_a_line_fitted_through_the_ink():
    image = digits.load().images[7]
    row, column = (axis.ravel() for axis in np.indices((8, 8)))
    slope = np.polyfit(row, column, 1, w=np.sqrt(image))[0]
    assert digits.slant(image) == pytest.approx(-slope)
