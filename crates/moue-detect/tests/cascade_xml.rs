//! What is no sound cascade is refused, with the line and the reason; whatever is accepted can be run.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use moue_detect::Error;
use moue_detect::cascade::{Cascade, FeatureKind, MAX_FILE_BYTES, ScanParameters, Scanner, Size};
use moue_media::Grey;

const LBP: &str = r#"<?xml version="1.0"?>
<opencv_storage>
<cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType>
  <featureType>LBP</featureType>
  <height>12</height>
  <width>10</width>
  <featureParams><maxCatCount>256</maxCatCount></featureParams>
  <stageNum>1</stageNum>
  <stages>
    <_>
      <maxWeakCount>2</maxWeakCount>
      <stageThreshold>-0.5</stageThreshold>
      <weakClassifiers>
        <_><internalNodes>0 -1 1 -1 2 3 4 5 6 7 -8</internalNodes>
          <leafValues>-0.75 0.5</leafValues></_>
        <_><internalNodes>
          0 -1 0 1 2 3 4 5 6 7 8</internalNodes>
          <leafValues>0.25 -.5e-1</leafValues></_></weakClassifiers></_></stages>
  <features>
    <_><rect>1 0 3 4</rect></_>
    <_><rect>0 2 2 3</rect></_></features></cascade>
</opencv_storage>
"#;

const HAAR: &str = r#"<opencv_storage>
<cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType>
  <featureType>HAAR</featureType><height>12</height><width>12</width>
  <featureParams><maxCatCount>0</maxCatCount></featureParams>
  <stageNum>1</stageNum>
  <stages>
    <_><maxWeakCount>1</maxWeakCount><stageThreshold>-1.</stageThreshold>
      <weakClassifiers>
        <_><internalNodes>1 2 0 1e-2 0 -1 1 2e-3 -2 -3 1 -.5</internalNodes>
          <leafValues>1. -2 3.5 4</leafValues></_></weakClassifiers></_></stages>
  <features>
    <_><rects><_>0 0 6 6 -1.</_><_>0 2 6 2 3</_></rects></_>
    <_><rects><_>6 0 4 6 -1.</_><_>6 0 4 3 2.</_></rects><tilted>1</tilted></_></features></cascade>
</opencv_storage>"#;

const OLD: &str = r#"<opencv_storage>
<face type_id="opencv-haar-classifier">
  <size>20 20</size>
  <stages><_>
    <trees>
      <_>
        <_><feature><rects><_>3 7 14 4 -1.</_><_>3 9 14 2 2.</_></rects><tilted>0</tilted></feature>
          <threshold>4.0e-003</threshold><left_node>1</left_node><right_val>0.8</right_val></_>
        <_><feature><rects><_>1 2 18 4 -1.</_><_>7 2 6 4 3.</_></rects><tilted>0</tilted></feature>
          <threshold>0.01</threshold><left_val>-0.5</left_val><right_val>0.25</right_val></_></_></trees>
    <stage_threshold>0.3</stage_threshold><parent>-1</parent><next>-1</next></_></stages></face>
</opencv_storage>"#;

fn refusal(text: &str) -> String {
    match Cascade::parse(text, "some.xml") {
        Ok(_) => panic!("accepted"),
        Err(error @ Error::Cascade { .. }) => error.to_string(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Runs a cascade over a small picture with some contrast.
fn run(cascade: Cascade) {
    let pixels = (0..64_u32 * 48).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let picture = Grey::from_raw(64, 48, pixels).unwrap();
    let parameters = ScanParameters { min_neighbours: 0, ..ScanParameters::default() };
    let found = Scanner::new(Arc::new(cascade)).detect_multi_scale(&picture, &parameters).unwrap();
    assert!(found.iter().all(|f| f.width > 0 && f.x + f.width <= 64 && f.height > 0 && f.y + f.height <= 48));
}

#[test]
fn sound_cascades_are_read_run_and_written_back() {
    for (text, kind, size) in [
        (LBP, FeatureKind::Lbp, (10, 12)),
        (HAAR, FeatureKind::Haar, (12, 12)),
        (OLD, FeatureKind::Haar, (20, 20)),
    ] {
        let cascade = Cascade::parse(text, "some.xml").unwrap();
        assert_eq!(cascade.kind(), kind);
        assert_eq!(cascade.window(), Size { width: size.0, height: size.1 });
        assert_eq!(cascade.stage_count(), 1);
        let written = cascade.to_xml("made by -- a test --");
        assert_eq!(Cascade::parse(&written, "written").unwrap(), cascade, "{written}");
        run(cascade);
    }
}

#[test]
fn saving_replaces_the_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cascade.xml");
    let cascade = Cascade::parse(LBP, "some.xml").unwrap();
    fs::write(&path, "old").unwrap();
    cascade.save(&path, "").unwrap();
    assert_eq!(Cascade::read(&path).unwrap(), cascade);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions(), fs::metadata(&plain).unwrap().permissions());
    assert!(matches!(cascade.save(Path::new("/nowhere/at/all.xml"), ""), Err(Error::Io { .. })));
}

#[test]
fn each_fault_is_named_with_its_line() {
    let cases: [(&str, &str, &str, &str); 26] = [
        (LBP, "</opencv_storage>", "", "some.xml:"),
        (LBP, "opencv_storage>", "storage>", "<storage>, not <opencv_storage>"),
        (LBP, "<stageType>BOOST</stageType>", "", "some.xml:3: no cascade: <cascade> has no <stageType>"),
        (LBP, "BOOST", "FOREST", "only BOOST is known"),
        (LBP, ">LBP<", ">HOG<", "some.xml:4: features of type \"HOG\""),
        (LBP, "<width>10</width>", "", "has no <width>"),
        (LBP, "<width>10<", "<width>0<", "some.xml:6: a window side of 0 pixels"),
        (LBP, "<width>10<", "<width>99999<", "a window side of 99999 pixels"),
        (LBP, "<width>10<", "<width>ten<", "\"ten\" in <width> is not a whole number"),
        (LBP, ">256<", ">100<", "maxCatCount says 100"),
        (LBP, "<stageNum>1", "<stageNum>2", "some.xml:8: <stageNum> says 2, but the file has 1 stages"),
        (LBP, "<maxWeakCount>2", "<maxWeakCount>3", "some.xml:11: <maxWeakCount> says 3"),
        (LBP, "0 -1 1 -1 2", "0 -1 -1 2", "some.xml:14: 10 numbers in <internalNodes>, but a node has 11"),
        (LBP, "0 -1 1 -1 2", "0 -1 2 -1 2", "asks for feature 2, but there are 2"),
        (LBP, "0 -1 1 -1 2", "0 -2 1 -1 2", "leads to leaf 2"),
        (LBP, "0 -1 1 -1 2", "-1 0 1 -1 2", "whose children are not leaf 0 and leaf 1"),
        (LBP, "0 -1 1 -1 2", "1 -1 1 -1 2", "leads to node 1, but there are 1"),
        (LBP, "-0.75 0.5<", "-0.75<", "has 2 leaves, but the file gives 1"),
        (LBP, "-0.75 0.5<", "nan 0.5<", "is not a finite number"),
        (LBP, "1 0 3 4", "2 0 3 4", "some.xml:20: the feature \"2 0 3 4\" does not fit the window of 10x12"),
        (LBP, "1 0 3 4", "1 0 3", "not 3 numbers"),
        (LBP, "1 0 3 4", "1 -1 3 4", "is not a number from 0 up"),
        (HAAR, "1 2 0 1e-2 0 -1", "1 1 0 1e-2 0 -1", "two branches lead to node 1"),
        (HAAR, "0 2 6 2 3", "0 2 6 11 3", "does not fit the window"),
        (HAAR, "6 0 4 6 -1.", "5 0 4 6 -1.", "does not fit the window"),
        (OLD, "<left_node>1", "<left_node>0", "leads to node 0"),
    ];
    for (text, from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        let message = refusal(&text.replacen(from, to, usize::MAX));
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn what_is_no_cascade_is_refused() {
    assert!(refusal("").contains("no sound XML"));
    assert!(refusal("a cascade").contains("no sound XML"));
    assert!(refusal("<opencv_storage/>").contains("nothing in it"));
    assert!(
        refusal("<opencv_storage><eigenfaces/></opencv_storage>").contains("<eigenfaces> has no <stageType>")
    );
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><opencv_storage>&a;</opencv_storage>";
    assert!(refusal(entities).contains("no sound XML"));
    let deep = "<opencv_storage>".repeat(300_000);
    assert!(refusal(&deep).contains("no sound XML"));
    let broad = format!("<opencv_storage>{}</opencv_storage>", "<a/>".repeat(4_100_000));
    assert!(refusal(&broad).contains("no sound XML"));
}

#[test]
fn files_are_refused_before_they_are_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.xml");
    fs::File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    let message = Cascade::read(&path).unwrap_err().to_string();
    assert!(message.contains("larger than 64 MB"), "{message}");
    let path = folder.path().join("bytes.xml");
    fs::write(&path, b"<opencv_storage>\n\xff\xfe</opencv_storage>").unwrap();
    let message = Cascade::read(&path).unwrap_err().to_string();
    assert!(message.ends_with("bytes.xml:2: not text in UTF-8, so no cascade XML"), "{message}");
    assert!(matches!(Cascade::read(&folder.path().join("absent.xml")), Err(Error::Io { .. })));
    assert!(matches!(Cascade::read(folder.path()), Err(Error::Io { .. })));
}

/// Cuts, flips, deletes, doubles and exchanges parts of sound files, thousands of ways. Nothing may panic, and what
/// is accepted is run.
#[test]
fn mangled_files_never_panic() {
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let words = [
        "-1",
        "0",
        "1",
        "7",
        "-2147483648",
        "2147483647",
        "4294967296",
        "1e39",
        "-0.",
        "nan",
        "<_>",
        "</_>",
        "",
    ];
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..6000 {
        let text = [LBP, HAAR, OLD][round % 3];
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..1 + below(3) {
            let (at, end) = (below(bytes.len()), below(bytes.len()));
            match below(5) {
                0 => bytes.truncate(at),
                1 => bytes[at] = below(128) as u8,
                2 => drop(bytes.drain(at..(at + below(30)).min(bytes.len()))),
                3 => {
                    let copy = bytes[at..(at + 40).min(bytes.len())].to_vec();
                    bytes.splice(end..end, copy);
                }
                _ => {
                    // A number becomes another word.
                    let start = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit()).unwrap_or(at);
                    let stop = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(start);
                    bytes.splice(start..stop, words[below(words.len())].bytes());
                }
            }
            if bytes.is_empty() {
                bytes.push(b'<');
            }
        }
        match Cascade::parse(&String::from_utf8_lossy(&bytes), "mangled.xml") {
            Ok(cascade) => {
                accepted += 1;
                run(cascade);
            }
            Err(Error::Cascade { file, .. }) => {
                refused += 1;
                assert_eq!(file, "mangled.xml");
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 3000 && accepted > 100, "{refused} refused, {accepted} accepted");
}

/// The same for OpenCV's own files, where they are installed.
#[test]
fn opencv_files_are_read_and_mangled_ones_do_not_panic() {
    let folders = moue_detect::locate::folders();
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| [folder.join("lbpcascades"), folder.join("haarcascades")])
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    if files.is_empty() {
        eprintln!("SKIPPED: no OpenCV cascades are installed (Debian: apt install opencv-data)");
        return;
    }
    for path in files {
        let cascade = Cascade::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(Cascade::parse(&cascade.to_xml(""), "written").unwrap(), cascade, "{}", path.display());
        let text = fs::read_to_string(&path).unwrap();
        for cut in 1..20 {
            let end = text.floor_char_boundary(text.len() * cut / 20);
            assert!(Cascade::parse(&text[..end], "cut.xml").is_err());
            // A digit changes somewhere.
            let at = (end..text.len()).find(|&i| text.as_bytes()[i].is_ascii_digit());
            if let Some(at) = at {
                let changed = format!("{}9{}", &text[..at], &text[at + 1..]);
                if let Ok(cascade) = Cascade::parse(&changed, "changed.xml") {
                    run(cascade);
                }
            }
        }
    }
}
