use png::{BitDepth, Encoder};

use super::*;

fn png(colour: ColorType, depth: BitDepth, width: u32, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let bits = colour.samples() * depth as usize;
    let height = u32::try_from(bytes.len() * 8 / (bits * width as usize)).unwrap();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    file
}

fn rgb(width: u32, bytes: &[u8]) -> Vec<u8> {
    png(ColorType::Rgb, BitDepth::Eight, width, bytes)
}

/// What a terminal draws: the colour of each pixel in hundredths, line after line, and their width.
fn drawn(text: &str) -> (usize, Vec<Option<[usize; 3]>>) {
    let body = text.strip_prefix("\x1bP0;1;0q\"1;1;").unwrap().strip_suffix("\x1b\\").unwrap();
    let (size, body) = body.split_once('#').unwrap();
    let (width, height) = size.split_once(';').unwrap();
    let (width, height): (usize, usize) = (width.parse().unwrap(), height.parse().unwrap());
    let mut pixels = vec![None; width * height];
    let mut palette = BTreeMap::new();
    let (mut x, mut y) = (0, 0);
    for part in body.split('#') {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        let (numbers, mut data) = part.split_at(end);
        let numbers: Vec<usize> = numbers.split(';').map(|n| n.parse().unwrap()).collect();
        if let [number, 2, red, green, blue] = numbers[..] {
            palette.insert(number, [red, green, blue]);
        }
        while let Some(first) = data.chars().next() {
            data = &data[1..];
            let (count, character) = if first == '!' {
                let end = data.find(|c: char| !c.is_ascii_digit()).unwrap();
                let count: usize = data[..end].parse().unwrap();
                let character = data[end..].chars().next().unwrap();
                data = &data[end + 1..];
                (count, character)
            } else {
                (1, first)
            };
            match character {
                '$' => x = 0,
                '-' => (x, y) = (0, y + 6),
                '?'..='~' => {
                    for _ in 0..count {
                        for row in (0..6).filter(|row| (character as u8 - b'?') & (1 << row) != 0) {
                            assert!(x < width, "beyond the edge");
                            let pixel = &mut pixels[(y + row) * width + x];
                            assert_eq!(pixel.replace(palette[&numbers[0]]), None, "drawn twice");
                        }
                        x += 1;
                    }
                }
                other => panic!("{other:?} is no sixel"),
            }
        }
    }
    (width, pixels)
}

#[test]
fn pure_colours_are_drawn_as_they_are_where_they_are() {
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]];
    // Seven lines: more than a row of sixels.
    let bytes: Vec<u8> = (0..7).flat_map(|y| colours.iter().cycle().skip(y).take(9).flatten().copied()).collect();
    let (width, pixels) = drawn(&escape(&rgb(9, &bytes)).unwrap());
    assert_eq!((width, pixels.len()), (9, 63));
    for (pixel, bytes) in pixels.iter().zip(bytes.chunks(3)) {
        let hundredths: Vec<usize> = bytes.iter().map(|value| usize::from(*value) * 100 / 255).collect();
        assert_eq!(pixel.unwrap().as_slice(), hundredths);
    }
    assert!(escape(&rgb(9, &[255; 9 * 3 * 6])).unwrap().ends_with("#251!9~$-\x1b\\"), "alike is said once");
}

#[test]
fn what_is_between_two_shades_is_drawn_as_some_of_both() {
    let (_, pixels) = drawn(&escape(&rgb(16, &[100; 16 * 16 * 3])).unwrap());
    for (part, shades) in [(0, [20, 40]), (1, [33, 50]), (2, [20, 40])] {
        let values: Vec<usize> = pixels.iter().map(|pixel| pixel.unwrap()[part]).collect();
        assert!(values.iter().all(|value| shades.contains(value)), "{part}: {values:?}");
        let mean = values.iter().sum::<usize>() as f64 / values.len() as f64;
        assert!((mean - 39.2).abs() < 1.5, "{part}: {mean}");
    }
}

#[test]
fn every_kind_of_png_is_read_and_what_cannot_be_seen_is_left_out() {
    let white = Some([100, 100, 100]);
    for (colour, depth, bytes) in [
        (ColorType::Grayscale, BitDepth::One, &[0b1000_0000][..]),
        (ColorType::Grayscale, BitDepth::Sixteen, &[255, 255, 0, 0][..]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, &[255, 255, 0, 255][..]),
        (ColorType::Rgb, BitDepth::Sixteen, &[255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0][..]),
    ] {
        let width = if depth == BitDepth::One { 8 } else { 2 };
        let (_, pixels) = drawn(&escape(&png(colour, depth, width, bytes)).unwrap());
        assert_eq!(pixels[..2], [white, Some([0, 0, 0])], "{colour:?}");
    }
    let bytes = [255, 255, 255, 127, 255, 255, 255, 128];
    let (_, pixels) = drawn(&escape(&png(ColorType::Rgba, BitDepth::Eight, 2, &bytes)).unwrap());
    assert_eq!(pixels, [None, white]);
}

#[test]
fn what_is_too_large_is_shrunk_as_a_whole_and_what_is_no_picture_is_nothing() {
    // The left half white, the right half black.
    let half = |width: u32, height: usize| {
        let line: Vec<u8> = (0..width).flat_map(|x| [if x < width / 2 { 255 } else { 0 }; 3]).collect();
        rgb(width, &line.repeat(height))
    };
    for (width, height, expected) in
        [(1600, 900, (800, 450)), (800, 600, (800, 600)), (600, 1200, (300, 600)), (3000, 2, (800, 1))]
    {
        let (across, pixels) = drawn(&escape(&half(width, height)).unwrap());
        assert_eq!((across, pixels.len() / across), expected, "{width} × {height}");
        for (x, pixel) in pixels.iter().take(across).enumerate() {
            let value = if x < across / 2 { 100 } else { 0 };
            assert_eq!(*pixel, Some([value; 3]), "{x} of {across}");
        }
    }
    let whole = half(40, 40);
    assert_eq!(escape(&whole[..whole.len() / 2]), None, "half of one");
    assert_eq!(escape(b"\x89PNG\r\n\x1a\nrest"), None);
    assert_eq!(escape(b""), None);
    // It would be 300 MB: a few bytes must not make it so.
    let mut bomb = half(8, 8);
    bomb[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    assert_eq!(escape(&bomb), None);
}
