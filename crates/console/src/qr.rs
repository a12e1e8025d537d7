//! A code as a picture that a phone reads.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// The margin that readers need, in modules.
const QUIET: usize = 4;

/// The text as an SVG; nothing when it is too long for one.
pub(crate) fn svg(text: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (place % width + QUIET, place / width + QUIET);
            // Writing to a text does not fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let size = width + 2 * QUIET;
    Some(html! {
        svg.qr viewBox=(format!("0 0 {size} {size}")) role="img" aria-label="The code as a QR code" {
            rect.qr-light width=(size) height=(size) {}
            path.qr-dark d=(path) {}
        }
    })
}
