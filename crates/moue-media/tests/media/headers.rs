//! Headers that announce a size, with next to nothing behind them.

/// For each format that can say so, a file that claims `side` x `side` pixels, its name, and the size it claims
/// (GIF and JPEG cannot say more than 65,535).
pub fn sized(side: u32) -> Vec<(Vec<u8>, &'static str, u32)> {
    let short = side.min(65_535);
    vec![
        (png(side), "size.png", side),
        (bmp(side), "size.bmp", side),
        (tiff(side), "size.tiff", side),
        (pnm(side), "size.ppm", side),
        (gif(short as u16), "size.gif", short),
        (jpeg(short as u16), "size.jpg", short),
    ]
}

fn png(side: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", &[0x78, 0x9c, 3, 0][..]), (b"IEND", &[])] {
        bytes.extend((data.len() as u32).to_be_bytes());
        let checked = [kind, data].concat();
        bytes.extend(&checked);
        bytes.extend(crc(&checked).to_be_bytes());
    }
    bytes
}

/// The checksum of PNG chunks (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

fn bmp(side: u32) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend(58_u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(54_u32.to_le_bytes());
    bytes.extend(40_u32.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend([0; 4]);
    bytes
}

fn tiff(side: u32) -> Vec<u8> {
    // Width, height, bits, compression, photometric, strip offset, samples, rows per strip, strip bytes.
    let tags =
        [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 4)];
    tiff_with(&tags)
}

/// A little-endian TIFF with one directory of LONG entries, and four bytes that can serve as pixels at offset 8.
pub fn tiff_with(tags: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    bytes.extend(12_u32.to_le_bytes());
    bytes.extend([10, 20, 30, 40]);
    bytes.extend((tags.len() as u16).to_le_bytes());
    for &(tag, value) in tags {
        bytes.extend(tag.to_le_bytes());
        // SHORT where the standard asks for it, else LONG.
        let short = matches!(tag, 258 | 259 | 262 | 274 | 277);
        bytes.extend(if short { 3_u16 } else { 4 }.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

fn pnm(side: u32) -> Vec<u8> {
    format!("P6\n{side} {side}\n255\n....").into_bytes()
}

fn gif(side: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(side.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    bytes.extend([0x2c, 0, 0, 0, 0]);
    bytes.extend(side.to_le_bytes());
    bytes.extend(side.to_le_bytes());
    bytes.extend([0, 2, 2, 0x4c, 0x01, 0, 0x3b]);
    bytes
}

fn jpeg(side: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend([0xff, 0xdb, 0, 67, 0]);
    bytes.extend([1; 64]);
    bytes.extend([0xff, 0xc0, 0, 11, 8]);
    bytes.extend(side.to_be_bytes());
    bytes.extend(side.to_be_bytes());
    bytes.extend([1, 1, 0x11, 0]);
    // Huffman tables (DC and AC) with one code of one bit each.
    for class in [0x00, 0x10] {
        bytes.extend([0xff, 0xc4, 0, 20, class, 1]);
        bytes.extend([0; 15]);
        bytes.push(0);
    }
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    bytes.extend([0x00, 0x00, 0xff, 0xd9]);
    bytes
}
