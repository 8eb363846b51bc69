//! Tables as spreadsheets and editors save them.

use moue_data::{Exclusions, Labels, Limits, Numbering, ReadOptions, ferplus};

use crate::csv::{file, read, refusal, row, written};

const ROWS: [(u8, u32, &str); 3] = [(0, 1, "Training"), (6, 2, "PublicTest"), (3, 3, "PrivateTest")];

/// A text saved in other ways, all of which mean the same.
fn saved(text: &str) -> Vec<String> {
    let with = |separator: &str| text.replace(',', separator);
    vec![
        text.to_owned(),
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        with(";"),
        with("\t"),
        format!("\u{feff}{}", with(";").replace('\n', "\r\n")),
        format!("sep=;\n{}", with(";")),
        format!("\u{feff}sep=,\r\n{text}"),
    ]
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_dataset_is_read_however_it_was_saved() {
    for text in saved(&file(&ROWS)) {
        let (_folder, path) = written("a.csv", &text);
        let dataset = read(&path).dataset;
        assert_eq!(dataset.len(), 3);
        for (index, (label, seed, usage)) in ROWS.into_iter().enumerate() {
            assert_eq!((dataset.label(index), dataset.usage(index).name()), (label, usage));
            assert_eq!(dataset.pixels(index), crate::csv::picture(seed));
        }
        // Lines are those that an editor counts.
        let bad = format!("{text}{}", "9\n");
        let line = bad.lines().count();
        let (_folder, path) = written("bad.csv", &bad);
        assert!(refusal(&path).contains(&format!("bad.csv:{line}: 1 field")), "{}", refusal(&path));
    }
    for mark in [true, false] {
        let (_folder, path) = written("a.csv", utf16(&file(&ROWS), mark));
        assert!(refusal(&path).contains("UTF-16") && refusal(&path).contains("save it again"));
    }
}

#[test]
fn votes_and_exclusions_are_read_however_they_were_saved() {
    let (_folder, path) = written("a.csv", file(&ROWS));
    let mut dataset = read(&path).dataset;
    let header = format!("Usage,Image name,{}\n", ferplus::COLUMNS.join(","));
    let votes = format!(
        "{header}Training,a.png,0,0,0,0,10,0,0,0,0,0\nPublicTest,b.png,10,0,0,0,0,0,0,0,0,0\n\
         PrivateTest,c.png,0,10,0,0,0,0,0,0,0,0\n"
    );
    for text in saved(&votes) {
        let (_folder, path) = written("votes.csv", &text);
        let table =
            ferplus::Table::read(&path, &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        table.lay_beside(&mut dataset).unwrap();
        assert_eq!(dataset.votes(1).unwrap().majority(), Some(6));
    }
    for text in saved("line,usage\n0,Training\n2,PrivateTest\n").into_iter().chain(saved("0\n2\n")) {
        let (_folder, path) = written("out.csv", &text);
        let list = Exclusions::read(&path, &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        assert_eq!(list.samples(&dataset).unwrap(), [0, 2], "{text:?}");
    }
    for mark in [true, false] {
        let (_folder, path) = written("votes.csv", utf16(&votes, mark));
        let error = ferplus::Table::read(&path, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains("UTF-16") && error.contains("save it again"), "{error}");
        let (_folder, path) = written("out.csv", utf16("line,usage\n0,Training\n", mark));
        let error = Exclusions::read(&path, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains("UTF-16"), "{error}");
    }
}

#[test]
fn seven_is_contempt_where_that_is_said() {
    let text = file(&ROWS) + &row(7, 4, "Training");
    let (_folder, path) = written("ck.csv", text);
    assert!(
        refusal(&path).contains(":5: emotion \"7\"") && refusal(&path).contains("--class-numbers ckplus")
    );
    let with = |numbering| {
        let options = ReadOptions { numbering: Some(numbering), ..ReadOptions::strict() };
        moue_data::read(&path, &options).map(|reading| reading.dataset)
    };
    let dataset = with(Numbering::CkPlus).unwrap();
    assert_eq!(dataset.labels(), &Labels::with_contempt());
    let labels: Vec<u8> = (0..4).map(|i| dataset.label(i)).collect();
    assert_eq!(labels, [0, 6, 3, 7]);
    let labels: Vec<u8> = (0..4).map(|i| with(Numbering::AffectNet).unwrap().label(i)).collect();
    assert_eq!(labels, [6, 0, 5, 7]);
    // Without contempt there are seven classes, whoever's numbers they are.
    let (_folder, path) = written("seven.csv", file(&ROWS));
    let options = ReadOptions { numbering: Some(Numbering::CkPlus), ..ReadOptions::strict() };
    assert_eq!(moue_data::read(&path, &options).unwrap().dataset.labels().len(), 7);
    assert!(with(Numbering::RafDb).unwrap_err().to_string().contains("1 (surprise) to 7 (neutral)"));
}
