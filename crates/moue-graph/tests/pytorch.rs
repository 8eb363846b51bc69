//! The reader of PyTorch state dicts on small files that PyTorch wrote (`scripts/pytorch_fixtures.py`) and on broken ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an unmet expectation fails the test")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use moue_graph::Weights;
use moue_graph::formats::pytorch;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn expect_the_values(weights: &Weights) {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_slice(&std::fs::read(fixture("values.json")).unwrap()).unwrap();
    let names: Vec<&str> = weights.iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
    for (name, tensor) in weights.iter() {
        assert_eq!(tensor.shape(), expected[name].shape, "{name}");
        assert_eq!(tensor.data(), expected[name].values, "{name}");
    }
}

#[test]
fn reads_what_pytorch_reads_from_the_layout_of_today() {
    expect_the_values(&pytorch::read(fixture("archive.pth")).unwrap().1);
}

#[test]
fn reads_what_pytorch_reads_from_the_older_layout() {
    expect_the_values(&pytorch::read(fixture("legacy.pth")).unwrap().1);
}

/// The message for these bytes, which begins with the file's name.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.pth");
    std::fs::write(&path, bytes).unwrap();
    let message = pytorch::read(&path).expect_err("is broken").to_string();
    message.strip_prefix(&format!("{}: ", path.display())).expect("the file is named").to_owned()
}

/// An archive of PyTorch with this pickle and these storages.
fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("some/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    for (key, bytes) in storages {
        zip.start_file(format!("some/data/{key}"), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn unicode(text: &str) -> Vec<u8> {
    let mut bytes = vec![b'X'];
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// The pickle of `{name: tensor}`, the tensor a view of a storage of `count` values called 0.
fn state_dict(name: &str, storage: &str, count: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let numbers = |numbers: &[u8]| {
        let mut tuple = vec![b'('];
        numbers.iter().for_each(|&n| tuple.extend([b'K', n]));
        tuple.push(b't');
        tuple
    };
    let mut pickle = b"\x80\x02}".to_vec();
    pickle.extend(unicode(name));
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle.extend(unicode("storage"));
    pickle.extend(format!("ctorch\n{storage}\n").bytes());
    pickle.extend(unicode("0"));
    pickle.extend(unicode("cpu"));
    pickle.extend([b'K', count]);
    pickle.extend(b"tQ");
    pickle.extend([b'K', offset]);
    pickle.extend(numbers(shape));
    pickle.extend(numbers(strides));
    // No gradient, no hooks.
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    pickle
}

#[test]
fn the_pickles_made_here_are_sound() {
    let pickle = state_dict("_bn0.weight", "FloatStorage", 3, 1, &[2], &[1]);
    let values: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.pth");
    std::fs::write(&path, archive(&pickle, &[("0", &values)])).unwrap();
    let (graph, weights) = pytorch::read(&path).unwrap();
    assert_eq!(graph.name(), "efficientnet_lite0");
    assert_eq!(weights.get("stem_bn/gamma").unwrap().data(), [2.0, 3.0]);
}

#[test]
fn runs_no_function_but_those_of_tensors() {
    // What `pickle.dumps` makes of an object whose `__reduce__` gives (os.system, ("…",)).
    let mut pickle = b"\x80\x02cposix\nsystem\n".to_vec();
    pickle.extend(unicode("echo hello"));
    pickle.extend(b"\x85R.");
    let message = refusal(&archive(&pickle, &[]));
    assert!(message.contains("data.pkl, at byte 2: it asks for posix.system"), "{message}");
    for global in [
        &b"cbuiltins\neval\n"[..],
        b"ctorch\nload\n",
        b"ctorch\nByteStorage\n",
        b"ctorch._utils\n_rebuild_qtensor\n",
    ] {
        let pickle = [b"\x80\x02", global, b"."].concat();
        let message = refusal(&archive(&pickle, &[]));
        assert!(message.contains("it asks for "), "{message}");
    }
    // Classes by other ways: INST, NEWOBJ, extension codes, a global named on the stack.
    for opcode in [b'i', 0x81, 0x82, 0x93] {
        let message = refusal(&archive(&[0x80, 2, b'(', opcode], &[]));
        assert!(message.contains("at byte 3: opcode 0x"), "{message}");
    }
}

#[test]
fn a_broken_pickle_is_refused_where_it_breaks() {
    for (pickle, expected) in [
        (&b""[..], "at byte 0: 1 bytes are missing"),
        (b"\x80\x04N.", "at byte 0: the pickle has protocol 4, expected 2"),
        (b"\x80\x02.", "at byte 2: the stack is empty"),
        (b"\x80\x02N(.", "at byte 4: the stack is empty"),
        (b"\x80\x02Nt", "at byte 3: a mark is missing"),
        (b"\x80\x02h\x07", "at byte 2: place 7 of the memo was never filled"),
        (b"\x80\x02]NNs", "at byte 5: sets items of a list, expected a dictionary"),
        (b"\x80\x02](Nu", "at byte 5: a key without a value"),
        (b"\x80\x02}Na", "at byte 4: appends to a dictionary, expected a list"),
        (b"\x80\x02N)R", "at byte 4: None is called, which is no function"),
        (b"\x80\x02ccollections\nOrderedDict\nN\x85R", "an OrderedDict is made with contents"),
        (b"\x80\x02X\xff\xff\xff\x7fabc", "at byte 2: 2147483647 bytes are missing"),
        (b"\x80\x02X\x02\0\0\0\xff\xfe.", "a string that is not UTF-8"),
        (b"\x80\x02\x8a\x09123456789.", "a whole number beyond 64 bits"),
        (b"\x80\x02NQ.", "None where a tuple is expected"),
        (b"\x80\x02)Q.", "a persistent id that is not"),
        (b"\x80\x02N.", "holds no dictionary"),
        (b"\x80\x02}.", "holds no tensors"),
    ] {
        let message = refusal(&archive(pickle, &[]));
        assert!(message.contains(expected), "{message} does not say {expected}");
    }
    // A dictionary that holds itself is no reason to run in circles.
    let message = refusal(&archive(b"\x80\x02}q\0X\x0a\0\0\0state_dicth\0s.", &[]));
    assert!(message.contains("holds no tensors"), "{message}");
    // Deep nesting is no reason to overflow the stack.
    let mut nested = b"\x80\x02)".to_vec();
    nested.extend(std::iter::repeat_n(0x85, 1_000_000));
    nested.push(b'.');
    assert!(refusal(&archive(&nested, &[])).contains("holds no dictionary"));
    let endless = [b"\x80\x02".to_vec(), vec![b')'; 5_000_000]].concat();
    assert!(refusal(&archive(&endless, &[])).contains("more than 4000000 steps"));
    assert!(refusal(&archive(&vec![b')'; 17 << 20], &[])).contains("data.pkl has more than 16777216 bytes"));
}

#[test]
fn a_tensor_must_lie_in_its_storage() {
    let values = [0u8; 12];
    let with = |count, offset, shape: &[u8], strides: &[u8]| {
        refusal(&archive(
            &state_dict("_bn0.weight", "FloatStorage", count, offset, shape, strides),
            &[("0", &values)],
        ))
    };
    for (offset, shape, strides) in
        [(0, &[4][..], &[1][..]), (2, &[2], &[1]), (0, &[2], &[3]), (0, &[2], &[1, 1]), (4, &[1], &[1])]
    {
        let message = with(3, offset, shape, strides);
        assert!(message.contains("does not lie in its storage of 3 values"), "{message}");
    }
    assert!(with(2, 0, &[2], &[1]).contains("some/data/0 has more than 8 bytes"));
    assert!(with(4, 0, &[2], &[1]).contains("some/data/0 has 12 bytes, 4 values need 16"));
    assert!(with(3, 0, &[1, 3], &[3, 1]).contains("has the shape [1, 3], expected [channels]"));
    assert!(with(3, 0, &[1; 9], &[1; 9]).contains("a tensor of 9 dimensions"));
    // A view that repeats a value without end.
    let pickle = state_dict("_conv_stem.weight", "FloatStorage", 3, 0, &[255; 4], &[0; 4]);
    assert!(refusal(&archive(&pickle, &[("0", &values)])).contains("more than 1073741824 bytes"));
    let pickle = state_dict("_bn0.weight", "FloatStorage", 3, 0, &[3], &[1]);
    assert!(refusal(&archive(&pickle, &[])).contains("some/data/0 is missing in the archive"));
    let infinite: Vec<u8> = [1.0, f32::INFINITY, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert!(
        refusal(&archive(&pickle, &[("0", &infinite)]))
            .contains("tensor _bn0.weight: it holds values that are not finite")
    );
    let foreign = state_dict("conv1.weight", "FloatStorage", 3, 0, &[3], &[1]);
    let message = refusal(&archive(&foreign, &[("0", &values)]));
    assert!(
        message.contains("none of its 1 tensors has a name of EfficientNet-Lite such")
            && message.contains("conv1.weight")
    );
}

#[test]
fn other_files_are_refused() {
    assert!(refusal(b"").contains("is no PyTorch file"));
    assert!(refusal(b"{\"a\": 1}").contains("is no PyTorch file"));
    assert!(refusal(b"PK\x03\x04 and nothing more").contains("the zip archive is cut off or damaged"));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("readme.txt", zip::write::SimpleFileOptions::default()).unwrap();
    assert!(refusal(&zip.finish().unwrap().into_inner()).contains("without data.pkl"));
    let folder = tempfile::tempdir().unwrap();
    assert!(pytorch::read(folder.path()).unwrap_err().to_string().contains("is a folder"));
    assert!(matches!(pytorch::read(folder.path().join("none.pth")), Err(moue_graph::Error::Io { .. })));
}

/// Files that break off, and files with a wrong byte, give a message or other values, and never a panic.
#[test]
fn damaged_files_do_no_harm() {
    for name in ["archive.pth", "legacy.pth"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for end in (0..whole.len()).step_by(17) {
            refusal(&whole[..end]);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.pth");
        for place in (0..whole.len()).step_by(5) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place % 8);
            std::fs::write(&path, bytes).unwrap();
            if let Err(error) = pytorch::read(&path) {
                assert!(error.to_string().contains("some.pth"));
            }
        }
    }
    let whole = std::fs::read(fixture("legacy.pth")).unwrap();
    assert!(refusal(&whole[..whole.len() - 1]).contains("is cut off"));
}
