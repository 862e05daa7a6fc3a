//! A text as a QR code (ISO/IEC 18004), drawn as SVG and as PNG. Pure.

use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, EcLevel, QrCode};

use crate::kernel::{Error, Result};

/// Light modules around the code; the standard asks for four.
const QUIET: usize = 4;
/// Points of the PNG for each module, in each direction. Eight are one byte of a picture in black and white.
const POINTS: usize = 8;

/// The modules of a code, the light ones around it among them; `true` is dark.
struct Modules {
    side: usize,
    dark: Vec<bool>,
}

impl Modules {
    fn of(text: &str) -> Result<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)
            .map_err(|cause| Error::internal("a text is too long for a QR code").caused_by(cause))?;
        let (width, colors) = (code.width(), code.to_colors());
        let side = width + 2 * QUIET;
        let mut dark = vec![false; side * side];
        let inner = dark.chunks_mut(side).skip(QUIET).flat_map(|row| row.iter_mut().skip(QUIET).take(width));
        for (module, color) in inner.zip(colors) {
            *module = color == Color::Dark;
        }
        Ok(Self { side, dark })
    }
}

/// As SVG, one unit for each module. Errors: `internal` when the text is too long.
pub fn svg(text: &str) -> Result<String> {
    let Modules { side, dark } = Modules::of(text)?;
    let mut path = String::new();
    for (y, row) in dark.chunks(side).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run.first() == Some(&true) {
                path.push_str(&format!("M{x} {y}h{0}v1h-{0}z", run.len()));
            }
            x += run.len();
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// As PNG in black and white. Errors: `internal` when the text is too long.
pub fn png(text: &str) -> Result<Vec<u8>> {
    let Modules { side, dark } = Modules::of(text)?;
    let lines = dark.chunks(side).flat_map(|row| std::iter::repeat_n(row, POINTS));
    let data: Vec<u8> = lines.flatten().map(|dark| if *dark { 0 } else { u8::MAX }).collect();
    let failed = || Error::internal("a picture could not be written");
    let points = u32::try_from(side * POINTS).map_err(|cause| failed().caused_by(cause))?;
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, points, points);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header().map_err(|cause| failed().caused_by(cause))?;
    writer.write_image_data(&data).map_err(|cause| failed().caused_by(cause))?;
    writer.finish().map_err(|cause| failed().caused_by(cause))?;
    Ok(out)
}
