//! Files that must be refused, each naming file, line and what was expected.

use moue_data::{Error, OnError, ReadOptions, Usage};

use crate::csv::{PICTURE, file, picture, pixels, refusal, row, written};

const GOOD: (u8, u32, &str) = (0, 1, "Training");

/// Two good rows and then a third.
fn with_row(line: &str) -> String {
    file(&[GOOD, (1, 2, "PublicTest")]) + line
}

/// A row whose pixels are changed.
fn with_pixels(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut numbers: Vec<String> = picture(3).iter().map(u8::to_string).collect();
    change(&mut numbers);
    format!("2,{},Training\n", numbers.join(" "))
}

#[test]
fn wrong_rows_say_what_was_expected() {
    let good = pixels(&picture(3));
    let cases: Vec<(String, &str)> = vec![
        (with_pixels(|p| drop(p.pop())), "2303 pixels, expected 2304 (48x48)"),
        (with_pixels(|p| p.push("0".into())), "2305 pixels, expected 2304 (48x48)"),
        (with_pixels(|p| p[16] = "256".into()), "pixel 17 is 256, expected 0 to 255"),
        (
            with_pixels(|p| p[0] = "99999999999999999999999".into()),
            "pixel 1 is 99999999999999999999, expected 0 to 255",
        ),
        (with_pixels(|p| p[5] = "-3".into()), "pixel 6 is \"-3\", expected a whole number from 0 to 255"),
        (with_pixels(|p| p[5] = "+3".into()), "pixel 6 is \"+3\", expected a whole number from 0 to 255"),
        (
            with_pixels(|p| p[2303] = "1.5".into()),
            "pixel 2304 is \"1.5\", expected a whole number from 0 to 255",
        ),
        (with_pixels(|p| p[9] = "NaN".into()), "pixel 10 is \"NaN\", expected a whole number from 0 to 255"),
        (
            with_pixels(|p| p[9] = "1\t2".into()),
            "pixel 10 is \"1\\t2\", expected a whole number from 0 to 255",
        ),
        (with_pixels(Vec::clear), "0 pixels, expected 2304 (48x48)"),
        (
            format!("7,{good},Training\n"),
            "emotion \"7\", expected 0 (angry) to 6 (neutral); in CK+'s ckextended.csv 7 is contempt: \
             --class-numbers ckplus reads it as an eighth class",
        ),
        (format!("8,{good},Training\n"), "emotion \"8\", expected 0 (angry) to 6 (neutral)"),
        (format!("-1,{good},Training\n"), "emotion \"-1\", expected 0 (angry) to 6 (neutral)"),
        (format!("happy,{good},Training\n"), "emotion \"happy\", expected 0 (angry) to 6 (neutral)"),
        (format!(",{good},Training\n"), "emotion \"\", expected 0 (angry) to 6 (neutral)"),
        (format!("2,{good},Testing\n"), "Usage \"Testing\", expected Training, PublicTest or PrivateTest"),
        (format!("2,{good},training\n"), "Usage \"training\", expected Training, PublicTest or PrivateTest"),
        (format!("2,{good},\n"), "Usage \"\", expected Training, PublicTest or PrivateTest"),
        (format!("2,{good}\n"), "2 fields, expected 3 as in the header"),
        (format!("2,{good},Training,\n"), "4 fields, expected 3 as in the header"),
        (format!("2,\"{good},Training\n"), "a quote that is not closed"),
        ("# a remark\n".into(), "1 field, expected 3 as in the header"),
        (format!("2,{},Training\n", "0 ".repeat(40_000)), "the line is 80011 bytes long; the limit is 65536"),
    ];
    for (line, reason) in cases {
        // In the middle, at the end, and with the last line's end missing.
        for text in [with_row(&line) + &row(4, 9, "Training"), with_row(&line), with_row(line.trim_end())] {
            let (_folder, path) = written("bad.csv", &text);
            assert_eq!(refusal(&path), format!("{}:4: {reason}", path.display()));
            let reading = moue_data::read(&path, &ReadOptions::collect()).unwrap();
            assert_eq!(reading.wrong.count(), 1, "{reason}");
            assert_eq!(reading.wrong.described()[0].line, Some(4));
            assert_eq!(reading.wrong.described()[0].reason, reason);
            assert_eq!(reading.dataset.len(), text.lines().count() - 2, "{reason}");
            assert_eq!(reading.dataset.pixels(1), picture(2));
        }
    }
}

#[test]
fn lines_that_are_not_text_are_wrong_rows() {
    let mut numbers = pixels(&picture(3)).into_bytes();
    numbers[0] = 0xff;
    let bytes = [with_row("2,").into_bytes(), numbers, b",Training\n".to_vec()].concat();
    let (_folder, path) = written("bad.csv", bytes);
    assert!(refusal(&path).contains(":4: pixel 1 is "), "{}", refusal(&path));
    assert!(refusal(&path).ends_with("(this is not UTF-8 text)"), "{}", refusal(&path));
}

#[test]
fn files_as_a_whole_are_refused() {
    let header = "expected the columns emotion, pixels and Usage";
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "the file is empty"),
        (b"\n", header),
        (b"emotion,pixels,Usage\n", "no rows after the header"),
        (b"emotion,pixels,Usage\n\n\r\n", "no rows after the header"),
        (b"emotion,pixel,Usage\n0,0,Training\n", header),
        (b"0,70 80 82,Training\n", header),
        (b"pixels\n1 2 3\n", header),
        (b"emotion,pixels,emotion\n", "the column emotion stands twice"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8 text"),
        (b"\xff\xfee\0m\0o\0t\0i\0o\0n\0", "UTF-16"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"PK\x03\x04nothing else", "the zip archive is cut off or damaged"),
        (b"BZh91AY", "cut off"),
        (b"\x1f\x8b\x08", "cut off"),
    ];
    for (bytes, reason) in cases {
        let (_folder, path) = written("bad.csv", bytes);
        for options in [ReadOptions::strict(), ReadOptions::collect()] {
            let message = moue_data::read(&path, &options).unwrap_err().to_string();
            assert!(message.starts_with(&path.display().to_string()), "{message}");
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
    }
    let (folder, _) = written("x", "");
    let missing = moue_data::read(&folder.path().join("none.csv"), &ReadOptions::strict()).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
}

#[test]
fn collecting_describes_the_first_and_counts_all() {
    let mut text = file(&[GOOD]);
    for _ in 0..1000 {
        text.push_str("nonsense\n");
    }
    text.push_str(&row(3, 5, "PrivateTest"));
    let (_folder, path) = written("bad.csv", text);
    let options = ReadOptions { max_described: 7, ..ReadOptions::collect() };
    assert_eq!(options.on_error, OnError::Collect);
    let reading = moue_data::read(&path, &options).unwrap();
    assert_eq!(reading.wrong.count(), 1000);
    let lines: Vec<_> = reading.wrong.described().iter().map(|row| row.line.unwrap()).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(reading.dataset.len(), 2);
    assert_eq!(reading.dataset.usage(1), Usage::PrivateTest);
    assert_eq!(reading.dataset.pixels(1), picture(5));
    assert_eq!(reading.dataset.place(1), format!("{}:1003", path.display()));
}

#[test]
fn spaces_and_leading_zeros_do_not_matter() {
    let loose: Vec<String> = picture(8).iter().map(|value| format!("{value:04}")).collect();
    let text = format!("emotion,pixels,Usage\n 2 ,  {}  , Training \n", loose.join("  "));
    let (_folder, path) = written("x.csv", text);
    let dataset = crate::csv::read(&path).dataset;
    assert_eq!(dataset.pixels(0), picture(8));
    assert_eq!(dataset.pixels(0).len(), PICTURE);
}
