//! Says what a file is that is no safetensors file, from its first bytes.

/// A noun phrase, or `None` where the bytes are unknown.
pub(super) fn describe(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let known = if starts(b"\x89HDF\r\n\x1a\n") {
        "an HDF5 file (Keras weights, .h5)"
    } else if starts(b"PK\x03\x04") {
        zip_content(bytes)
    } else if starts(b"\x80\x02") || starts(b"\x80\x03") || starts(b"\x80\x04") || starts(b"\x80\x05") {
        "a Python pickle (old PyTorch weights, .pth)"
    } else if at(4, b"TFL3") {
        "a TensorFlow Lite model (.tflite)"
    } else if starts(b"\x08\x01\x12") {
        "a TensorFlow SavedModel (.pb)"
    } else if bytes.len() > 2
        && bytes[0] == 8
        && (3..=32).contains(&bytes[1])
        && matches!(bytes[2], 0x12 | 0x1a | 0x3a)
    {
        "an ONNX model (.onnx)"
    } else if starts(b"GGUF") {
        "a GGUF model"
    } else if starts(b"\x93NUMPY") {
        "a NumPy array (.npy)"
    } else if starts(b"\xff\xd8\xff") {
        "a JPEG picture"
    } else if starts(b"\x89PNG\r\n\x1a\n") {
        "a PNG picture"
    } else if starts(b"GIF8") {
        "a GIF picture"
    } else if starts(b"RIFF") && at(8, b"WEBP") {
        "a WebP picture"
    } else if starts(b"II*\0") || starts(b"MM\0*") {
        "a TIFF picture"
    } else if at(4, b"ftyp") {
        "a video or HEIF picture"
    } else if starts(b"\x1f\x8b") {
        "a gzip archive"
    } else if starts(b"BZh") {
        "a bzip2 archive"
    } else if starts(b"%PDF") {
        "a PDF document"
    } else if starts(b"\x7fELF") || starts(b"MZ") {
        "a program"
    } else if starts(b"version https://git-lfs") {
        "a Git LFS pointer (the file itself was never downloaded: `git lfs pull`)"
    } else {
        return text(bytes);
    };
    Some(known)
}

/// Names of the first entries tell the kinds of zip archive apart.
fn zip_content(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(4096)];
    let holds = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    if holds(b"data.pkl") {
        "a PyTorch file (.pth)"
    } else if holds(b"metadata.json") && holds(b"keras_version") || holds(b"model.weights.h5") {
        "a Keras model (.keras)"
    } else {
        "a zip archive (PyTorch weights, a Keras model, or any other)"
    }
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(4096)];
    let printable = head.iter().all(|&b| b >= 0x20 && b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r'));
    // A character cut in two at the end of the head is no sign against text.
    let utf8 = std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    if !(printable && utf8) {
        return None;
    }
    Some(match head.trim_ascii_start().first() {
        Some(b'{' | b'[') if contains(head, b"modelTopology") => "a TensorFlow.js model (model.json)",
        Some(b'{' | b'[') => "JSON",
        Some(b'<') => "XML or HTML",
        _ => "text",
    })
}

fn contains(head: &[u8], needle: &[u8]) -> bool {
    head.windows(needle.len()).any(|window| window == needle)
}
