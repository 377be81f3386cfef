//! Draws the outputs: small landscapes that follow from the prompt.

use super::ids;
use super::rng::Rng;
use super::scene::Scene;

/// A colour, each part from 0 to 1.
type Color = [f32; 3];

/// Draws the `variant`-th picture of a scene as an RGB PNG.
///
/// The same scene and variant give the same bytes. Words of the prompt choose the palette (night, sunset,
/// sea, forest, …, and plain colour names), its hash the rest.
///
/// # Errors
/// Only when the encoder refuses, which it does not for these sizes.
pub(crate) fn png(scene: &Scene, variant: u64) -> Result<Vec<u8>, png::EncodingError> {
    let pixels = draw(scene, variant);
    let mut bytes = Vec::with_capacity(pixels.len() / 2);
    let mut encoder = png::Encoder::new(&mut bytes, scene.width, scene.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.add_itxt_chunk("prompt".to_owned(), scene.prompt.clone())?;
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

/// One range of hills: a sum of waves.
struct Ridge {
    base: f32,
    waves: [(f32, f32, f32); 4],
    color: Color,
}

impl Ridge {
    /// Its height at `x`, both from 0 to 1, downwards.
    fn at(&self, x: f32) -> f32 {
        let bumps: f32 =
            self.waves.iter().map(|(frequency, phase, amplitude)| (x * frequency + phase).sin() * amplitude).sum();
        self.base + bumps
    }
}

struct Landscape {
    palette: Palette,
    sun: (f32, f32, f32),
    stars: Vec<(f32, f32)>,
    ridges: Vec<Ridge>,
    /// Where the water begins, from 0 to 1 downwards; 1 for none.
    water: f32,
}

/// Ranges of hills, far to near.
const RIDGES: u8 = 5;

impl Landscape {
    fn new(scene: &Scene, variant: u64) -> Self {
        let mut rng = Rng::new(scene.seed ^ ids::hash64(&scene.prompt), variant);
        // 24 bits are what an f32 holds exactly.
        let mut unit = move || (rng.next() >> 40) as f32 / 16_777_216.0;
        let palette = Palette::of(&scene.prompt, unit());
        let sun = (0.2 + 0.6 * unit(), 0.18 + 0.25 * unit(), 0.05 + 0.05 * unit());
        let water = if palette.water { 0.72 + 0.08 * unit() } else { 1.0 };
        let stars = if palette.stars { (0..90).map(|_| (unit(), unit() * 0.6)).collect() } else { Vec::new() };
        let ridges = (0..RIDGES)
            .map(|n| {
                let near = f32::from(n) / f32::from(RIDGES - 1);
                let mut wave = |frequency: f32, amplitude: f32| {
                    let phase = unit() * std::f32::consts::TAU;
                    (frequency * (0.7 + 0.6 * unit()), phase, amplitude)
                };
                Ridge {
                    base: 0.46 + 0.36 * near * water,
                    waves: [wave(4.0, 0.055), wave(9.0, 0.03), wave(23.0, 0.01), wave(61.0, 0.004 * (0.3 + near))],
                    color: mix(palette.far, palette.near, near),
                }
            })
            .collect();
        Self { palette, sun, stars, ridges, water }
    }

    /// The colour at `x`, `y` (0 to 1) where one pixel is `pixel` wide and the picture `aspect` times as
    /// wide as high.
    fn color(&self, x: f32, y: f32, pixel: f32, aspect: f32) -> Color {
        if y > self.water {
            let depth = (y - self.water) / (1.0 - self.water);
            let ripple = (y * 190.0 + (x * 40.0).sin()).sin() * 0.006;
            let mirrored = self.land(x + ripple, 2.0 * self.water - y, pixel, aspect);
            return mix(mirrored, self.palette.deep, 0.25 + 0.5 * depth);
        }
        self.land(x, y, pixel, aspect)
    }

    fn land(&self, x: f32, y: f32, pixel: f32, aspect: f32) -> Color {
        let mut color = self.sky(x, y, aspect);
        for ridge in &self.ridges {
            // Half a pixel of softness keeps the edges smooth.
            let inside = ((y - ridge.at(x)) / pixel + 0.5).clamp(0.0, 1.0);
            let haze = ((y - ridge.base) * 1.6).clamp(0.0, 0.35);
            color = mix(color, mix(ridge.color, self.palette.haze, haze), inside);
        }
        color
    }

    fn sky(&self, x: f32, y: f32, aspect: f32) -> Color {
        let mut color = mix(self.palette.top, self.palette.horizon, (y / 0.6).clamp(0.0, 1.0));
        for (sx, sy) in &self.stars {
            let distance = (x - sx).hypot((y - sy) / aspect);
            if distance < 0.0025 {
                color = mix(color, [1.0; 3], 0.8);
            }
        }
        let (sx, sy, radius) = self.sun;
        let distance = (x - sx).hypot((y - sy) / aspect);
        let glow = (1.0 - distance / 0.55).clamp(0.0, 1.0).powi(3) * 0.55;
        color = mix(color, self.palette.sun, glow);
        let disc = ((radius - distance) * 220.0).clamp(0.0, 1.0);
        mix(color, self.palette.sun, disc)
    }
}

struct Palette {
    top: Color,
    horizon: Color,
    haze: Color,
    far: Color,
    near: Color,
    deep: Color,
    sun: Color,
    stars: bool,
    water: bool,
}

impl Palette {
    fn of(prompt: &str, luck: f32) -> Self {
        let prompt = prompt.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| prompt.contains(word));
        let night = says(&["night", "moon", "star", "space", "dark"]);
        let warm = says(&["sunset", "sunrise", "dawn", "dusk", "golden", "desert", "fire"]);
        let mut hue = if warm { 0.04 + 0.05 * luck } else { luck };
        for (word, named) in HUES {
            if prompt.contains(word) {
                hue = named;
            }
        }
        let light = if night { 0.18 } else { 0.62 };
        let second = (hue + if warm { 0.72 } else { 0.55 }) % 1.0;
        Self {
            top: hsl(second, 0.5, light),
            horizon: hsl(hue, 0.75, (light + 0.2_f32).min(0.86)),
            haze: hsl(hue, 0.5, light + 0.1),
            far: hsl((second + 0.05) % 1.0, 0.32, light * 0.85),
            near: hsl((second + 0.1) % 1.0, 0.5, light * 0.22),
            deep: hsl(second, 0.6, light * 0.35),
            sun: if night { [0.96, 0.97, 0.92] } else { hsl(hue, 0.9, 0.9) },
            stars: night,
            water: says(&["sea", "lake", "ocean", "water", "river", "lighthouse", "island"]) || luck > 0.6,
        }
    }
}

/// Words that name a hue.
const HUES: [(&str, f32); 12] = [
    ("red", 0.0),
    ("fox", 0.05),
    ("orange", 0.08),
    ("gold", 0.12),
    ("yellow", 0.15),
    ("green", 0.33),
    ("forest", 0.36),
    ("teal", 0.5),
    ("snow", 0.56),
    ("blue", 0.6),
    ("purple", 0.77),
    ("pink", 0.9),
];

fn draw(scene: &Scene, variant: u64) -> Vec<u8> {
    let landscape = Landscape::new(scene, variant);
    let (width, height) = (scene.width.max(1), scene.height.max(1));
    let aspect = width as f32 / height as f32;
    let pixel = 1.0 / height as f32;
    let mut pixels = Vec::new();
    for row in 0..height {
        let y = (row as f32 + 0.5) * pixel;
        for column in 0..width {
            let x = (column as f32 + 0.5) / width as f32;
            let color = landscape.color(x, y, pixel, aspect);
            pixels.extend(color.map(to_byte));
        }
    }
    pixels
}

fn mix(from: Color, to: Color, amount: f32) -> Color {
    let [a, b, c] = from;
    let [x, y, z] = to;
    let at = |p: f32, q: f32| p + (q - p) * amount;
    [at(a, x), at(b, y), at(c, z)]
}

/// Hue, saturation, lightness, each from 0 to 1.
fn hsl(hue: f32, saturation: f32, lightness: f32) -> Color {
    let spread = saturation * lightness.min(1.0 - lightness);
    let part = |n: f32| {
        let k = (n + hue * 12.0) % 12.0;
        lightness - spread * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    };
    [part(0.0), part(8.0), part(4.0)]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte just before"
)]
fn to_byte(part: f32) -> u8 {
    (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}
