//! How large a picture is, and a small one of it. Blocks; the caller bounds how many run at a time.
//!
//! Decoders meet whatever strangers send. So the size is read before anything is decoded, what needs more memory than
//! [`DECODED_MAX`] is not decoded, and a decoder that panics is a picture without a thumbnail. The small picture is written anew
//! and holds nothing of the original's metadata, such as where it was taken.

use std::io::{BufReader, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// Most bytes that a decoded picture may take: 40 megapixels with five bytes each.
const DECODED_MAX: u64 = 200 * 1_024 * 1_024;
/// Longest side of a picture that is decoded, in pixels.
const SIDE_MAX: u32 = 12_000;
/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 480;

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// As it is shown, in pixels.
    pub width: u32,
    /// As it is shown, in pixels.
    pub height: u32,
    /// A small one of it; `None` when it is too large or damaged.
    pub thumbnail: Option<Thumbnail>,
}

/// A small picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// `image/png` when the picture has transparent places, else `image/jpeg`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Reads a picture; `None` when not even its size can be read.
pub fn inspect(path: &Path) -> Option<Picture> {
    // The closure holds nothing that a panic could leave half changed.
    catch_unwind(AssertUnwindSafe(|| read(path))).ok().flatten()
}

fn read(path: &Path) -> Option<Picture> {
    let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let (orientation, (width, height), fits) = {
        let mut decoder = sized(reader)?;
        let fits = decoder.total_bytes() <= DECODED_MAX;
        let (width, height) = decoder.dimensions();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        (orientation, (width, height), fits && width.max(height) <= SIDE_MAX)
    };
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (shown_width, shown_height) = if turned { (height, width) } else { (width, height) };
    let decoded = || catch_unwind(AssertUnwindSafe(|| small(path, orientation))).ok().flatten();
    let thumbnail = if fits { decoded() } else { None };
    Some(Picture { width: shown_width, height: shown_height, thumbnail })
}

/// A decoder that has read the head of the picture.
fn sized(mut reader: ImageReader<BufReader<std::fs::File>>) -> Option<impl ImageDecoder> {
    let known = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];
    if !reader.format().is_some_and(|format| known.contains(&format)) {
        return None;
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(DECODED_MAX);
    reader.limits(limits);
    reader.into_decoder().ok().filter(|decoder| decoder.dimensions().0 > 0 && decoder.dimensions().1 > 0)
}

fn small(path: &Path, orientation: Orientation) -> Option<Thumbnail> {
    let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let picture = DynamicImage::from_decoder(sized(reader)?).ok()?;
    let has_alpha = picture.color().has_alpha();
    let side = THUMBNAIL_SIDE;
    // What is small already is written anew in its own size.
    let mut picture = match picture.width().max(picture.height()) > side {
        true => picture.thumbnail(side, side),
        false => picture,
    };
    picture.apply_orientation(orientation);
    let mut bytes = Cursor::new(Vec::new());
    let (media_type, format) = match has_alpha {
        true => ("image/png", ImageFormat::Png),
        false => ("image/jpeg", ImageFormat::Jpeg),
    };
    let plain = if has_alpha { picture.to_rgba8().into() } else { DynamicImage::from(picture.to_rgb8()) };
    plain.write_to(&mut bytes, format).ok()?;
    Some(Thumbnail { media_type, bytes: bytes.into_inner() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_of_every_type_are_made_small() {
        let picture = DynamicImage::new_rgb8(960, 200);
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let file = written(&encoded(&picture, format));
            let found = inspect(file.path()).unwrap();
            assert_eq!((found.width, found.height), (960, 200), "{format:?}");
            let thumbnail = image::load_from_memory(&found.thumbnail.unwrap().bytes).unwrap();
            assert_eq!((thumbnail.width(), thumbnail.height()), (480, 100), "{format:?}");
        }
    }

    #[test]
    fn transparent_places_stay_transparent() {
        let file = written(&encoded(&DynamicImage::new_rgba8(10, 10), ImageFormat::Png));
        let thumbnail = inspect(file.path()).unwrap().thumbnail.unwrap();
        assert_eq!(thumbnail.media_type, "image/png");
        let small = image::load_from_memory(&thumbnail.bytes).unwrap();
        assert_eq!((small.width(), small.to_rgba8().get_pixel(0, 0).0[3]), (10, 0));
    }

    /// A head that claims 30,000 by 30,000 pixels in a few hundred bytes.
    #[test]
    fn a_decompression_bomb_is_measured_and_not_decoded() {
        let mut bytes = encoded(&DynamicImage::new_luma8(1, 1), ImageFormat::Png);
        bytes[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let crc = crc32(&bytes[12..29]).to_be_bytes();
        bytes[29..33].copy_from_slice(&crc);
        let file = written(&bytes);
        let found = inspect(file.path()).unwrap();
        assert_eq!((found.width, found.height, found.thumbnail), (30_000, 30_000, None));
    }

    #[test]
    fn damaged_pictures_have_no_thumbnail() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let whole = encoded(&DynamicImage::new_rgb8(64, 64), format);
            // No length and no changed byte makes it panic or read beyond its bounds.
            for at in (0..whole.len()).step_by(7) {
                let _ = inspect(written(&whole[..at]).path());
                let mut changed = whole.clone();
                changed[at] ^= 0xff;
                let _ = inspect(written(&changed).path());
            }
        }
        assert_eq!(inspect(written(b"\x89PNG\r\n\x1a\n").path()), None);
        assert_eq!(inspect(Path::new("/nothing/here")), None);
    }

    /// CRC-32 of ISO 3309 as PNG has it, bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
    }
}
