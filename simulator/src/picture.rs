//! Pictures as simulated cameras take them: a real baseline JPEG in grey, drawn from blocks of 8 × 8
//! pixels of one brightness each.
//!
//! A block of one brightness has a first coefficient alone, so one table of codes for those and the
//! sign for *nothing else* is all that the format needs here (ITU-T T.81, Annexes B and F). Nothing of a
//! picture is random: the same plate gives the same bytes.

use domain::Plate;

/// Blocks a row and rows of the overview.
const OVERVIEW: (usize, usize) = (48, 32);
/// Rows and columns of a letter, in blocks.
const LETTER: (usize, usize) = (5, 3);

/// Letters of 3 × 5 blocks, row by row from the top, the left block first: digits, then A to Z.
const LETTERS: [u16; 36] = [
    0x7B6F, 0x2C97, 0x73E7, 0x73CF, 0x5BC9, 0x79CF, 0x79EF, 0x7249, 0x7BEF, 0x7BCF, 0x7BED, 0x6BAE,
    0x7927, 0x6B6E, 0x79A7, 0x79A4, 0x796F, 0x5BED, 0x7497, 0x126F, 0x5BAD, 0x4927, 0x5FED, 0x6B6D,
    0x7B6F, 0x7BE4, 0x7B79, 0x7BAD, 0x79CF, 0x7492, 0x5B6F, 0x5B6A, 0x5B7D, 0x5AAD, 0x5A92, 0x72A7,
];

/// A field of blocks, each of one brightness.
#[derive(Debug, Clone)]
struct Blocks {
    columns: usize,
    brightness: Vec<u8>,
}

impl Blocks {
    fn new((columns, rows): (usize, usize), brightness: u8) -> Self {
        Self { columns, brightness: vec![brightness; columns * rows] }
    }

    fn fill(&mut self, (x, y): (usize, usize), (columns, rows): (usize, usize), brightness: u8) {
        for row in y..y + rows {
            let from = row * self.columns + x;
            self.brightness[from..from + columns].fill(brightness);
        }
    }

    fn write(&mut self, (x, y): (usize, usize), text: &str, brightness: u8) {
        let (rows, columns) = LETTER;
        for (place, letter) in text.chars().enumerate() {
            let Some(drawn) =
                letter.to_digit(36).and_then(|of| LETTERS.get(usize::try_from(of).ok()?))
            else {
                continue;
            };
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |at| (row, at))) {
                if drawn >> (rows * columns - 1 - (row * columns + column)) & 1 == 1 {
                    self.fill((x + place * (columns + 1) + column, y + row), (1, 1), brightness);
                }
            }
        }
    }
}

/// The plate, cut out.
#[must_use]
pub fn of_plate(plate: &Plate) -> Vec<u8> {
    let text = plate.as_str();
    let mut blocks = Blocks::new((text.len() * (LETTER.1 + 1) + 3, LETTER.0 + 4), 40);
    let inside = (blocks.columns - 2, LETTER.0 + 2);
    blocks.fill((1, 1), inside, 235);
    blocks.write((2, 2), text, 25);
    jpeg(&blocks)
}

/// The vehicle where it stands, with its plate.
#[must_use]
pub fn of_vehicle(plate: &Plate) -> Vec<u8> {
    let text: String = plate.as_str().chars().take(10).collect();
    let mut blocks = Blocks::new(OVERVIEW, 120);
    blocks.fill((0, 20), (48, 12), 85); // the road
    blocks.fill((5, 6), (38, 20), 165); // the vehicle
    blocks.fill((8, 8), (32, 6), 60); // its windscreen
    blocks.fill((6, 16), (4, 2), 245); // its lights
    blocks.fill((38, 16), (4, 2), 245);
    blocks.fill((7, 26), (6, 4), 20); // its wheels
    blocks.fill((35, 26), (6, 4), 20);
    let left = (48 - text.len() * (LETTER.1 + 1)) / 2;
    blocks.fill((left - 1, 18), (text.len() * (LETTER.1 + 1) + 1, 7), 235);
    blocks.write((left, 19), &text, 25);
    jpeg(&blocks)
}

/// The categories of a difference: its number of bits.
const CATEGORIES: u8 = 9;

fn jpeg(blocks: &Blocks) -> Vec<u8> {
    let rows = blocks.brightness.len() / blocks.columns;
    let pixels = |count: usize| u16::try_from(count * 8).unwrap_or(u16::MAX).to_be_bytes();
    let mut file = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        let len = u16::try_from(body.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
        file.extend([0xff, marker]);
        file.extend(len);
        file.extend(body);
    };
    segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    // A step of 8 for the first coefficient, which is 8 times the block's brightness.
    segment(0xdb, &[&[0][..], &[8; 64]].concat());
    let [width, height] = [pixels(blocks.columns), pixels(rows)];
    segment(0xc0, &[&[8][..], &height, &width, &[1, 1, 0x11, 0]].concat());
    // Codes of four bits for the categories; one of a single bit for *nothing else*.
    let of_four: Vec<u8> = (0..CATEGORIES).collect();
    let counts = |len: usize, count: u8| {
        let mut counts = [0; 16];
        counts[len - 1] = count;
        counts
    };
    segment(0xc4, &[&[0x00][..], &counts(4, CATEGORIES), &of_four].concat());
    segment(0xc4, &[&[0x10][..], &counts(1, 1), &[0]].concat());
    segment(0xda, &[1, 1, 0x00, 0, 63, 0]);
    file.extend(coded(&blocks.brightness));
    file.extend([0xff, 0xd9]);
    file
}

/// The blocks as differences, each in its category, and the sign for *nothing else*.
fn coded(brightness: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut before = 128_i16;
    for &value in brightness {
        let value = i16::from(value);
        let difference = value - before;
        before = value;
        let category = 16 - difference.unsigned_abs().leading_zeros();
        bits.push(category, 4);
        // Below zero the bits are those of one less.
        let written = if difference < 0 { difference - 1 } else { difference };
        bits.push(u32::from(written.cast_unsigned()), category);
        bits.push(0, 1);
    }
    bits.end()
}

#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u8,
    count: u32,
}

impl Bits {
    /// Adds the last `count` bits of a value.
    fn push(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            self.held = self.held << 1 | u8::from(value >> place & 1 == 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.held);
                if self.held == 0xff {
                    // What could be a marker is told from one.
                    self.bytes.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }

    fn end(mut self) -> Vec<u8> {
        while self.count != 0 {
            self.push(1, 1);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_from_the_left_and_what_could_be_a_marker_is_told_from_one() {
        let mut bits = Bits::default();
        bits.push(0b101, 3);
        bits.push(0xff, 8);
        assert_eq!(bits.end(), [0b1011_1111, 0b1111_1111, 0]);
    }

    #[test]
    fn differences_are_written_in_their_categories() {
        // 128 to 130: category 2, bits 10; to 127: category 2, bits of -3 less one, 00.
        assert_eq!(coded(&[130, 127]), [0b0010_1000, 0b0100_0011]);
    }

    #[test]
    fn a_picture_is_small_begins_and_ends_as_one_and_is_the_plates_own() {
        let plate = |text: &str| Plate::try_new(text).unwrap();
        for draw in [of_plate, of_vehicle] {
            let picture = draw(&plate("37A12345"));
            assert!(picture.starts_with(&[0xff, 0xd8, 0xff]) && picture.ends_with(&[0xff, 0xd9]));
            assert!(picture.len() < 4_000, "{} bytes", picture.len());
            assert_eq!(picture, draw(&plate("37A12345")));
            assert_ne!(picture, draw(&plate("37A12346")));
        }
    }
}
