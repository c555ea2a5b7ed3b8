"""Frames: what is read, when it is read, and the messages for what does not decode."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from course_lib.data import frames as frames_module
from course_lib.data.frames import ArrayFrames, ImageFiles, read_image
from course_lib.errors import DataError, MissingDataError
from course_lib.geometry.frame import as_frame


def pixels(seed: int, height: int = 12, width: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), pixels(i)[..., ::-1])
    return paths


def test_an_image_file_is_read_as_rgb(files):
    np.testing.assert_array_equal(read_image(files[2]), pixels(2))
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    path = files[0].with_name("rot ü.png")
    cv2.imencode(".png", red[..., ::-1])[1].tofile(path)
    np.testing.assert_array_equal(read_image(path), red)


def test_a_grey_file_has_three_equal_channels(tmp_path):
    grey = pixels(1)[..., 0]
    cv2.imwrite(str(tmp_path / "g.png"), grey)
    frame = read_image(tmp_path / "g.png")
    assert frame.shape == (12, 16, 3)
    assert (frame == grey[..., None]).all()


def test_length_index_loop_and_part(files):
    frames = ImageFiles(files)
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[-1], pixels(3))
    assert [int(f.sum()) for f in frames] == [int(pixels(i).sum()) for i in range(4)]
    part = frames.part(1, 3)
    assert len(part) == 2
    np.testing.assert_array_equal(part[1], pixels(2))
    with pytest.raises(IndexError, match="frame 4 requested, but there are only 4"):
        frames[4]
    with pytest.raises(TypeError, match=r"one by one, frames\[t\]; frames.part\(1\)"):
        frames[1:]


def test_frames_are_decoded_only_on_demand(files):
    files[1].write_bytes(b"not an image")
    frames = ImageFiles(files)
    np.testing.assert_array_equal(frames[0], pixels(0))
    with pytest.raises(DataError, match=rf"{files[1].name} \(12 bytes\) does not decode"):
        frames[1]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.98])
def test_a_file_cut_short_is_named_and_never_half_a_frame(tmp_path, share, suffix):
    path = tmp_path / f"0001{suffix}"
    encoded = cv2.imencode(suffix, pixels(0, 60, 80))[1].tobytes()
    path.write_bytes(encoded[: int(len(encoded) * share)])
    with pytest.raises(
        DataError,
        match=rf"0001{suffix} \([0-9]+ bytes\) does not decode .* fetch the sequence again",
    ):
        read_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"0001.jpg does not exist; fetch"):
        read_image(tmp_path / "0001.jpg")


def test_frames_may_change_size_and_be_grey():
    frames = ArrayFrames([pixels(0), pixels(1, 5, 7), pixels(2)[..., 0]])
    assert [f.shape for f in frames] == [(12, 16, 3), (5, 7, 3), (12, 16, 3)]


@pytest.mark.parametrize("image", [
    np.zeros((4, 4, 3)),
    np.zeros((4, 4, 4), dtype=np.uint8),
    np.zeros((0, 4, 3), dtype=np.uint8),
    np.zeros(4, dtype=np.uint8),
])  # fmt: skip
def test_arrays_that_are_not_frames_are_refused(image):
    with pytest.raises(DataError, match=r"expected uint8 \(height, width, 3\)"):
        as_frame(image)


def ramp(bits: int) -> np.ndarray:
    """Values (2, 256, 3) spread evenly from 0 to the highest of `bits` bits."""
    row = np.round(np.linspace(0, 2**bits - 1, 256)).astype(np.uint16)
    return np.tile(row[None, :, None], (2, 1, 3))


class TestDepth:
    """Values stored in 16 bits keep their brightness, by the depth that they use."""

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    @pytest.mark.parametrize("grey", [False, True])
    def test_the_highest_value_is_white(self, tmp_path, bits, suffix, grey):
        values = ramp(bits)[..., 0] if grey else ramp(bits)
        cv2.imwrite(str(tmp_path / f"a{suffix}"), values)
        with pytest.warns(UserWarning, match=rf"stored in 16 bits and use {bits}"):
            frame = read_image(tmp_path / f"a{suffix}")
        assert frame.dtype == np.uint8 and frame.shape == (2, 256, 3)
        # column k holds k/255 of the highest value, so it is k of 255
        np.testing.assert_array_equal(frame, np.tile(np.arange(256)[None, :, None], (2, 1, 3)))

    def test_eight_bits_in_sixteen_stay_as_they_are(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), pixels(0).astype(np.uint16)[..., ::-1])
        with pytest.warns(UserWarning, match="stored in 16 bits and use 8"):
            np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels(0))

    def test_colours_keep_their_order(self, tmp_path):
        red = np.zeros((4, 4, 3), dtype=np.uint16)
        red[..., 0] = 4095
        cv2.imwrite(str(tmp_path / "a.png"), red[..., ::-1])
        with pytest.warns(UserWarning, match="use 12"):
            assert read_image(tmp_path / "a.png")[0, 0].tolist() == [255, 0, 0]

    @pytest.fixture
    def video(self, tmp_path):
        """Forty frames of 12 bits, the first and most others too dark to show it."""
        for k in range(40):
            value = 4000 if k in (13, 26) else 200 + k
            cv2.imwrite(str(tmp_path / f"{k:02d}.png"), np.full((4, 4), value, dtype=np.uint16))
        return sorted(tmp_path.glob("*.png"))

    def test_a_video_has_one_scale(self, video):
        with pytest.warns(UserWarning) as said:
            frames = ImageFiles(video)
            values = [int(frame[0, 0, 0]) for frame in frames]
        # 200 of 4095 is 12.45 of 255, 239 is 14.9, 4000 is 249.1
        assert values[0] == 12 and values[39] == 15 and values[13] == values[26] == 249
        assert len(said) == 1 and "use 12" in str(said[0].message)  # once, not for every frame
        # in any order, and through a part of it
        assert [int(ImageFiles(video)[k][0, 0, 0]) for k in (39, 13, 0)] == [15, 249, 12]
        assert int(ImageFiles(video).part(0, 5)[0][0, 0, 0]) == 12

    def test_a_frame_brighter_than_the_sample_causes_a_warning(self, video, monkeypatch):
        monkeypatch.setattr(frames_module, "SAMPLE", 2)  # the first and the last: 8 bits
        with pytest.warns(UserWarning) as said:
            assert ImageFiles(video)[13][0, 0, 0] == 255
        assert ["13.png is brighter than the 8 bits" in str(w.message) for w in said] == [
            False,
            True,
        ]

    def test_a_damaged_frame_does_not_affect_others(self, video):
        video[0].write_bytes(b"")
        with pytest.warns(UserWarning, match="use 12"):
            assert ImageFiles(video)[13][0, 0, 0] == 249
        with pytest.raises(DataError, match="does not decode"):
            ImageFiles(video)[0]

    def test_frames_of_eight_bits_cost_nothing_extra(self, files, monkeypatch):
        monkeypatch.setattr(frames_module, "depth_of", lambda images: pytest.fail("was asked"))
        assert len(list(ImageFiles(files))) == 4

    @pytest.mark.parametrize("share", [0.1, 0.6, 0.98])
    def test_a_cut_one_is_never_half_a_frame(self, tmp_path, share):
        values = np.random.default_rng(0).integers(0, 4096, (60, 80, 3)).astype(np.uint16)
        encoded = cv2.imencode(".png", values)[1].tobytes()
        (tmp_path / "a.png").write_bytes(encoded[: int(len(encoded) * share)])
        with pytest.raises(DataError, match="does not decode"):
            read_image(tmp_path / "a.png")

    def test_floating_point_values_are_refused(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.tif"), np.random.default_rng(0).random((4, 4, 3), np.float32))
        with pytest.raises(
            DataError, match=r"a.tif holds values of type float32; expected unsigned 8 or 16"
        ):
            read_image(tmp_path / "a.tif")


class TestKindsOfFile:
    """What cameras, scanners and programs write besides plain RGB; PIL is the outside reference."""

    def saved(self, path, image, kind: str, **options):
        image.save(path, kind, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return read_image(path)

    @pytest.mark.parametrize("mode", ["P", "1", "L"])
    def test_palettes_one_bit_and_grey(self, tmp_path, mode):
        image = Image.fromarray(pixels(3)).convert(mode)
        frame = self.saved(tmp_path / "a.png", image, "PNG")
        np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_an_alpha_channel_is_left_out(self, tmp_path, mode):
        alpha = pixels(5)[..., 0]
        image = Image.fromarray(pixels(3)).convert(mode)
        image.putalpha(Image.fromarray(alpha))
        colour = image.convert(mode[:-1]).convert("RGB")  # as if everything were opaque
        frame = self.saved(tmp_path / "a.png", image, "PNG")
        np.testing.assert_array_equal(frame, np.asarray(colour))

    def test_a_cmyk_jpeg(self, tmp_path):
        smooth = np.kron(pixels(3, 3, 4), np.ones((16, 16, 1), dtype=np.uint8))
        image = Image.fromarray(smooth).convert("CMYK")
        frame = self.saved(tmp_path / "a.jpg", image, "JPEG", quality=100)
        assert np.abs(frame.astype(int) - smooth).mean() < 4

    @pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
    def test_a_photograph_is_rotated_by_its_exif_orientation(self, tmp_path, orientation, turns):
        smooth = np.kron(pixels(3, 3, 4), np.ones((16, 16, 1), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"quality": 100, "subsampling": 0, "exif": exif}
        frame = self.saved(tmp_path / "a.jpg", Image.fromarray(smooth), "JPEG", **options)
        upright = np.rot90(smooth, turns)  # counter-clockwise; 6 asks for a clockwise quarter
        assert frame.shape == upright.shape
        assert np.abs(frame.astype(int) - upright).mean() < 4

    def test_the_content_decides_not_the_suffix(self, tmp_path):
        image = Image.fromarray(pixels(3))
        np.testing.assert_array_equal(self.saved(tmp_path / "a.jpg", image, "PNG"), pixels(3))
        np.testing.assert_array_equal(self.saved(tmp_path / "b.jpg", image, "BMP"), pixels(3))

    def test_a_gif_yields_its_first_image_or_an_error(self, tmp_path):
        """OpenCV reads GIF from 4.11 on."""
        image = Image.fromarray(pixels(3)).convert("P")
        image.save(
            tmp_path / "a.jpg", "GIF", save_all=True, append_images=[Image.fromarray(pixels(4))]
        )
        try:
            frame = read_image(tmp_path / "a.jpg")
        except DataError as problem:
            assert "does not decode as an image" in str(problem)
        else:
            np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))

    def test_files_that_are_not_images(self, tmp_path):
        (tmp_path / "folder.jpg").mkdir()
        with pytest.raises(DataError, match=r"folder.jpg cannot be read: .* is a folder"):
            read_image(tmp_path / "folder.jpg")
        (tmp_path / "file").write_text("x")
        with pytest.raises(DataError, match="cannot be read"):
            read_image(tmp_path / "file" / "a.jpg")
        for content in (b"", b"\0" * 100, b"<html></html>", b"GIF89a", b"\x89PNG\r\n\x1a\n"):
            (tmp_path / "a.jpg").write_bytes(content)
            with pytest.raises(DataError, match=rf"\({len(content)} bytes\) does not decode"):
                read_image(tmp_path / "a.jpg")

    def test_a_header_that_promises_too_many_pixels(self, tmp_path):
        buffer = io.BytesIO()
        Image.fromarray(pixels(0)).save(buffer, "BMP")
        content = bytearray(buffer.getvalue())
        content[18:26] = (60_000).to_bytes(4, "little") * 2
        (tmp_path / "a.bmp").write_bytes(bytes(content))
        with pytest.raises(DataError, match="does not decode"):
            read_image(tmp_path / "a.bmp")


def test_the_files_of_frames(files):
    frames = ImageFiles(files)
    assert frames.files == files and frames.part(1, 3).files == files[1:3]
    assert ArrayFrames([pixels(0)]).files == [] == ArrayFrames([pixels(0)]).part(0).files
