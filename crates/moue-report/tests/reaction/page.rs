//! The page as a browser and a curious reader see it.

use moue_report::reaction::{Collector, Event, Illustrations, Report, Settings};

use crate::support::{clip, face, files, number, record, rows, written};

const NASTY: &str = "<script>alert(1)</script>\"'&</title>";

fn nasty_files() -> std::collections::HashMap<String, String> {
    let mut collector = Collector::new(
        Settings { title: NASTY.to_owned(), ..Settings::default() },
        vec![Event { time: 3.0, name: NASTY.to_owned() }],
    )
    .unwrap();
    for (i, group) in [Some(NASTY), Some("second"), None].into_iter().enumerate() {
        let source = format!("dir{i}\\{NASTY}");
        let stream = collector.stream(NASTY, group);
        for record in clip(&source, i as u64, 3, 20.0) {
            collector.add(stream, &record).unwrap();
        }
    }
    collector.note(NASTY);
    files(&collector.finish().unwrap(), &Illustrations::default())
}

#[test]
fn nothing_from_files_is_markup() {
    let page = &nasty_files()["report.html"];
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<script>alert") && !page.contains("\"'&</title>"));
    // The scripts of the page: data, which is not run, and ours at the end.
    let scripts: Vec<&str> = page.split("<script").skip(1).map(|s| s.split('>').next().unwrap()).collect();
    let (last, data) = scripts.split_last().unwrap();
    assert!(last.is_empty() && data.iter().all(|s| s.starts_with(" type=\"application/json\"")));
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    let page = &nasty_files()["report.html"];
    for attribute in ["src=\"", "href=\"", "action=\"", "srcset=\"", "poster=\"", "data=\""] {
        for value in page.split(attribute).skip(1).map(|s| s.split('"').next().unwrap()) {
            let inside = value.starts_with('#') || value.starts_with("data:");
            assert!(inside, "{attribute}{value}");
        }
    }
    for word in [
        "@import",
        "url(http",
        "url(//",
        "@font-face",
        "<link",
        "<iframe",
        "fetch(",
        "XMLHttp",
        "http://",
        "https://",
    ] {
        // The namespace of SVG is a name, not an address that is visited.
        let text = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("script-src 'sha256-"));
}

#[test]
fn short_sightings_are_counted_apart_and_nowhere_else() {
    let p = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    // Two people throughout; three more faces, half a second each, while both are there.
    let records = (0..200_u64).map(|i| {
        let short = (50..125).contains(&i).then(|| 2 + (i - 50) / 25).filter(|_| i % 25 < 12);
        let faces = (0..2).chain(short).map(|id| crate::support::face(id, &p)).collect();
        crate::support::record("a.mp4", i, i as f64 / 25.0, faces)
    });
    let files = written(records.collect(), Settings::default(), Vec::new());
    let page = &files["report.html"];
    assert!(page.contains("3 more faces seen for less than 1 s, left out"), "{page}");
    assert!(
        page.contains("2 people") && page.contains("2.0 of 2 faces in view") && !page.contains("Person 2")
    );
    let timeline = rows(&files["timeline.csv"]);
    assert!(timeline.iter().all(|row| row["people"] == "2" && number(row, "faces_in_view") < 2.001));
    assert_eq!(rows(&files["people.csv"]).len(), 2);
}

#[test]
fn every_chart_has_words_and_ids_are_unique() {
    let page = &nasty_files()["report.html"];
    for svg in page.split("<svg").skip(1).map(|s| s.split('>').next().unwrap()) {
        let described =
            svg.contains("role=\"img\"") && (svg.contains("aria-labelledby") || svg.contains("aria-label="));
        assert!(described || svg.contains("aria-hidden=\"true\""), "{svg}");
    }
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|s| s.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for used in page.split("aria-labelledby=\"").skip(1).map(|s| s.split('"').next().unwrap()) {
        assert!(used.split(' ').all(|id| ids.binary_search(&id).is_ok()), "{used}");
    }
    assert!(!page.split(|c: char| !c.is_alphanumeric()).any(|word| ["NaN", "inf"].contains(&word)));
    assert!(page.contains("is derived, not measured") && page.contains("What this cannot know"));
}

#[test]
fn tables_in_the_page_are_the_files_beside_it() {
    use base64::Engine as _;
    let files = nasty_files();
    let page = &files["report.html"];
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".csv")) {
        let start = "href=\"data:text/csv;charset=utf-8;base64,";
        let link = page.split(start).skip(1).find(|l| l.contains(&format!("download=\"{name}\""))).unwrap();
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(link.split('"').next().unwrap()).unwrap();
        assert_eq!(&String::from_utf8(bytes).unwrap(), text, "{name}");
    }
}

#[test]
fn faces_are_in_the_page_only_when_they_are_given() {
    let records = || clip("a.mp4", 3, 3, 40.0);
    let page = |files: std::collections::HashMap<String, String>| files["report.html"].clone();
    assert!(!page(written(records(), Settings::default(), Vec::new())).contains("<img"));
    let report = Report::from_records(records(), Settings::default(), Vec::new()).unwrap();
    assert!(!report.groups()[0].moments().is_empty());
    let mut pictures = Illustrations::default();
    assert!(pictures.add(0, 0, b"<svg onload=alert(1)>".to_vec()).is_err());
    assert!(pictures.add(0, 0, [&[0xff, 0xd8, 0xff][..], &[0; 300 << 10]].concat()).is_err());
    pictures.add(0, 0, b"\xff\xd8\xff\xe0picture".to_vec()).unwrap();
    let page = page(files(&report, &pictures));
    assert_eq!(page.matches("<img src=\"data:image/jpeg;base64,/9j/4HBpY3R1cmU=\"").count(), 1);
    assert_eq!(page.matches("<img").count(), 1);
    assert!(page.contains("It holds pictures of people"));
}

#[test]
fn the_face_of_a_peak_is_from_the_frame_that_shows_its_emotion_most() {
    let records = clip("a.mp4", 3, 3, 40.0);
    let report = Report::from_records(records.clone(), Settings::default(), Vec::new()).unwrap();
    let moments = report.groups()[0].moments();
    assert!(!moments.is_empty());
    for moment in moments {
        // Bins are half a second wide.
        let within = records.iter().filter(|r| (r.time - moment.time).abs() < 0.2501);
        let p = |r: &moue::Record| {
            r.faces.iter().find(|f| f.id == moment.face.id)?.probabilities.get(&moment.emotion)
        };
        let most = within.filter_map(|r| Some((r.time, p(r)?))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!((most.0 - moment.face.time).abs() < 1e-9, "{moment:?} {most:?}");
    }
}

#[test]
fn no_expression_is_named_of_uncertain_faces() {
    let judged = |least: Option<f32>| {
        let mut records = clip("a.mp4", 3, 2, 40.0);
        for face in records.iter_mut().flat_map(|r| &mut r.faces) {
            face.certain = least.map(|least| face.id == 0 && face.confidence >= least);
        }
        written(records, Settings::default(), Vec::new())
    };
    let (never, all, none) = (judged(None), judged(Some(0.0)), judged(Some(1.0)));
    let unsaid = |files: &std::collections::HashMap<String, String>| {
        let page = &files["report.html"];
        (page.matches("piece unsaid").count(), page.matches("piece h").count())
    };
    let (named, named_of_one) = (unsaid(&never).1, unsaid(&all).1);
    assert_eq!(unsaid(&never), (0, named));
    assert!(unsaid(&all).0 > 0 && named_of_one > 0 && named_of_one < named);
    assert_eq!(unsaid(&none).1, 0);
    assert!(!never["people.csv"].contains("uncertain") && !never["report.html"].contains("uncertain"));
    for (files, expected) in [(&all, [0.0, 1.0]), (&none, [1.0, 1.0])] {
        let rows = rows(&files["people.csv"]);
        let shares: Vec<f64> = rows.iter().map(|row| number(row, "share_uncertain")).collect();
        assert_eq!(shares, expected);
        assert!(files["report.html"].contains("of the time in view, faces were uncertain"));
    }
    // Means are over all frames, whoever judges them.
    let means = |files: &std::collections::HashMap<String, String>| files["timeline.csv"].clone();
    assert!(means(&never) == means(&all) && means(&all) == means(&none));
}

#[test]
fn the_page_is_the_same_each_time() {
    let page = || written(clip("a.mp4", 5, 4, 12.0), Settings::default(), Vec::new())["report.html"].clone();
    assert_eq!(page(), page());
}

/// The page of one person who shows `first` for ten seconds and `then` for ten more.
fn page_of_two_halves(first: &[f32], then: &[f32], bin: Option<f64>) -> String {
    let frames = (0..200_u32).map(|i| {
        let shown = if i < 100 { first } else { then };
        record("a.mp4", u64::from(i), f64::from(i) / 10.0, vec![face(0, shown)])
    });
    written(frames.collect(), Settings { bin, ..Settings::default() }, Vec::new())["report.html"].clone()
}

#[test]
fn a_mean_of_zero_does_not_hide_swings() {
    const SWUNG: &str = "but they swung between clearly pleasant and clearly unpleasant";
    // Valence +0.8 and then -0.8; nearly nothing throughout; pleasant throughout.
    let happy = [0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.2];
    let sad = [0.0, 0.0, 0.0, 0.0, 0.8, 0.0, 0.2];
    let [calm, blank] = [[0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.9], [0.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.9]];
    for bin in [None, Some(0.1), Some(1.0), Some(5.0)] {
        let page = page_of_two_halves(&happy, &sad, bin);
        assert!(page.contains("neither pleasant nor unpleasant, but they swung"), "{bin:?}");
        assert!(page.contains(SWUNG));
        let page = page_of_two_halves(&calm, &blank, bin);
        assert!(page.contains("neither pleasant nor unpleasant, and ") && !page.contains(SWUNG), "{bin:?}");
        assert!(!page_of_two_halves(&happy, &calm, bin).contains(SWUNG), "{bin:?}");
    }
}
