//! Sixel: pictures as lines of six pixels, colour after colour, as DEC's terminals drew them.
//!
//! By hand: the crate for it brings fifteen others for the choice of colours, and these are a hundred lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

/// The largest picture that is sent: a window of eighty columns has about as many pixels, and what is wider is cut off.
const WIDTH_MAX: usize = 800;
const HEIGHT_MAX: usize = 600;

/// The most bytes of a decoded picture: 4096 × 4096 pixels, larger than tools make.
const DECODED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shades of red, green and blue: together 252 of the 256 colours that terminals have for it. The eye is best at greens.
const SHADES: [usize; 3] = [6, 7, 6];

/// A pixel that is less opaque than this is left out.
const OPAQUE: usize = 128;

/// Sixteenths of a shade that are added before it is rounded down, over and over, so that areas of two colours look like
/// one in between.
const DITHER: [[usize; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Red, green, blue and how opaque, from 0 to 255.
type Pixel = [usize; 4];

/// The characters that show a PNG; `None` for what is none, or is too large.
pub(super) fn escape(png: &[u8]) -> Option<String> {
    let picture = Picture::decode(png)?.shrunk();
    // Pixels as high as wide, and those that are not drawn left as they are.
    let mut out = format!("\x1bP0;1;0q\"1;1;{};{}", picture.width, picture.height());
    for (number, shades) in palette().enumerate() {
        let _ = write!(out, "#{number};2;{};{};{}", shades[0], shades[1], shades[2]);
    }
    let lines: Vec<Vec<Option<usize>>> = (0..).zip(picture.lines()).map(|(y, line)| colours(y, line)).collect();
    for six in lines.chunks(6) {
        // For each colour, which of the six pixels of each column have it.
        let mut columns: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (row, line) in six.iter().enumerate() {
            for (x, colour) in line.iter().enumerate().filter_map(|(x, colour)| Some((x, (*colour)?))) {
                let of_colour = columns.entry(colour).or_insert_with(|| vec![0; picture.width]);
                of_colour.iter_mut().skip(x).take(1).for_each(|bits| *bits |= 1 << row);
            }
        }
        for (colour, bits) in columns {
            let _ = write!(out, "#{colour}");
            repeat(&mut out, &bits);
            // Back to the start of the line, for the next colour.
            out.push('$');
        }
        out.push('-');
    }
    out.push_str("\x1b\\");
    Some(out)
}

/// In hundredths, by their number.
fn palette() -> impl Iterator<Item = [usize; 3]> {
    let [reds, greens, blues] = SHADES;
    let hundredths = |shade: usize, of: usize| (shade * 100 + (of - 1) / 2) / (of - 1);
    (0..reds * greens * blues).map(move |number| {
        let (red, green, blue) = (number / blues / greens, number / blues % greens, number % blues);
        [hundredths(red, reds), hundredths(green, greens), hundredths(blue, blues)]
    })
}

/// The numbers of a line's colours.
fn colours(y: usize, line: &[Pixel]) -> Vec<Option<usize>> {
    let dither = DITHER.iter().cycle().nth(y % DITHER.len()).into_iter().flatten().cycle();
    let number = |(pixel, dither): (&Pixel, &usize)| {
        let [red, green, blue, opaque] = pixel;
        let shade = |value: usize, of: usize| (value * (of - 1) * 16 + dither * 255) / (255 * 16);
        let [reds, greens, blues] = SHADES;
        let number = (shade(*red, reds) * greens + shade(*green, greens)) * blues + shade(*blue, blues);
        (*opaque >= OPAQUE).then_some(number)
    };
    line.iter().zip(dither).map(number).collect()
}

/// Six pixels are a character; many alike are one, and how many.
fn repeat(out: &mut String, bits: &[u8]) {
    let drawn = bits.len() - bits.iter().rev().take_while(|bits| **bits == 0).count();
    for alike in bits.iter().take(drawn).collect::<Vec<_>>().chunk_by(|a, b| a == b) {
        let character = char::from(b'?' + alike.first().map_or(0, |bits| **bits));
        match alike.len() {
            few @ ..4 => out.extend(std::iter::repeat_n(character, few)),
            many => drop(write!(out, "!{many}{character}")),
        }
    }
}

/// A picture of one line or more, none of them empty.
struct Picture {
    width: usize,
    pixels: Vec<Pixel>,
}

impl Picture {
    fn decode(png: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new_with_limits(Cursor::new(png), Limits { bytes: DECODED_BYTES_MAX });
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let mut reader = decoder.read_info().ok()?;
        let size = reader.output_buffer_size().filter(|size| *size <= DECODED_BYTES_MAX)?;
        let mut bytes = vec![0; size];
        let info = reader.next_frame(&mut bytes).ok()?;
        let pixel = |samples: &[u8]| match *samples {
            [grey, opaque] => [grey, grey, grey, opaque].map(usize::from),
            [red, green, blue, opaque] => [red, green, blue, opaque].map(usize::from),
            _ => [0; 4],
        };
        let samples = if info.color_type == ColorType::GrayscaleAlpha { 2 } else { 4 };
        let pixels = bytes.get(..info.buffer_size())?.chunks_exact(samples).map(pixel).collect();
        Some(Self { width: usize::try_from(info.width).ok()?, pixels })
    }

    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    fn lines(&self) -> impl Iterator<Item = &[Pixel]> {
        self.pixels.chunks_exact(self.width)
    }

    /// As large as it may be: each pixel is the mean of those that were in its place.
    fn shrunk(self) -> Self {
        let (width, height) = (self.width, self.height());
        if width <= WIDTH_MAX && height <= HEIGHT_MAX {
            return self;
        }
        // The side that is further beyond its limit decides.
        let (most, of) =
            if width * HEIGHT_MAX > height * WIDTH_MAX { (WIDTH_MAX, width) } else { (HEIGHT_MAX, height) };
        let (less_wide, less_high) = ((width * most / of).max(1), (height * most / of).max(1));
        let span = |at: usize, from: usize, to: usize| at * from / to..((at + 1) * from / to).max(at * from / to + 1);
        let mean = |x: usize, y: usize| {
            let (across, down) = (span(x, width, less_wide), span(y, height, less_high));
            let lines = self.lines().skip(down.start).take(down.len());
            let within = lines.flat_map(|line| line.iter().skip(across.start).take(across.len()));
            let count = across.len() * down.len();
            let sum =
                |[r, g, b, o]: Pixel, [red, green, blue, opaque]: &Pixel| [r + red, g + green, b + blue, o + opaque];
            within.fold([0; 4], sum).map(|sum| sum / count)
        };
        let pixels = (0..less_high).flat_map(|y| (0..less_wide).map(move |x| (x, y))).map(|(x, y)| mean(x, y));
        Self { width: less_wide, pixels: pixels.collect() }
    }
}

#[cfg(test)]
mod tests;
