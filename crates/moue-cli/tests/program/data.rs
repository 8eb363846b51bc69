use std::fs;

use crate::support::{fer2013, moue, write_data};

#[test]
fn a_check_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let run = moue(folder.path(), &["data", "check", "data.csv", "--json", "--sheet", "sheet.png"]).done();
    let check = run.json();
    assert_eq!(check["rows"], 63);
    assert_eq!(check["usages"][0]["usage"], "Training");
    assert_eq!(check["usages"][0]["rows"], 42);
    assert_eq!(check["usages"][1]["classes"][3]["label"], "happy");
    assert_eq!(check["usages"][1]["classes"][3]["rows"], 3);
    assert_eq!(check["wrong"]["count"], 0);
    let sheet = moue_media::read_picture(&folder.path().join("sheet.png"), &moue_media::Limits::default());
    assert!(sheet.unwrap().width() > 400);

    let text = moue(folder.path(), &["data", "check", "data.csv"]).done();
    assert!(text.stdout.contains("63 pictures") && text.stdout.contains("PublicTest"), "{}", text.stdout);
}

#[test]
fn leaks_and_wrong_rows_are_found_and_the_report_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let csv = fer2013(&[("Training", 7), ("PublicTest", 7)]);
    let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
    // Line 9 becomes a copy of line 2, and line 5 a row with a pixel too few.
    lines[8] = lines[1].replace("Training", "PublicTest");
    let (before, rest) = lines[4].split_once(',').unwrap();
    lines[4] = format!("{before},{}", rest.split_once(' ').unwrap().1);
    fs::write(folder.path().join("data.csv"), lines.join("\n")).unwrap();
    let run =
        moue(folder.path(), &["data", "check", "data.csv", "--json"]).failed(&["data.csv:5:", "2303 pixels"]);
    let check = run.json();
    assert_eq!(check["rows"], 13);
    assert_eq!(check["wrong"]["count"], 1);
    assert_eq!(check["wrong"]["rows"][0]["line"], 5);
    assert_eq!(check["duplicates"]["leaks"][0]["usage"], "PublicTest");
    assert_eq!(check["duplicates"]["leaks"][0]["rows"], 1);
    assert_eq!(check["duplicates"]["groups"][0]["samples"][1]["line"], 9);

    let text = moue(folder.path(), &["data", "check", "data.csv"]).failed(&["1 row cannot be read"]);
    assert!(text.stdout.contains("data.csv:5: 2303 pixels"), "{}", text.stdout);
    assert!(text.stdout.contains("equal pictures"), "{}", text.stdout);
}

#[test]
fn votes_and_exclusions_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), fer2013(&[("Training", 4)])).unwrap();
    let votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n\
                 Training,a.png,0,0,0,0,9,1,0,0,0,0\n\
                 Training,b.png,9,0,0,0,0,1,0,0,0,0\n\
                 Training,c.png,0,0,0,0,0,0,2,0,0,8\n\
                 Training,,0,0,0,0,0,0,0,0,0,0\n";
    fs::write(folder.path().join("votes.csv"), votes).unwrap();
    fs::write(folder.path().join("out.csv"), "line,Usage\n1,Training\n3,Training\n").unwrap();
    let arguments = ["data", "check", "data.csv", "--ferplus", "votes.csv", "--exclude", "out.csv", "--json"];
    let check = moue(folder.path(), &arguments).done().json();
    let expected = serde_json::json!({"rows": 3, "dropped": 1, "not_a_face": 1, "agreeing": 2});
    assert_eq!(check["ferplus"], expected);
    assert_eq!(check["excluded"], 2);
    fs::write(folder.path().join("out.csv"), "line,Usage\n7,Training\n").unwrap();
    moue(folder.path(), &arguments).failed(&["out.csv:2:", "row 7"]);
}

#[test]
fn folders_of_pictures_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (part, class, grey) in [("train", "happy", 200), ("train", "sad", 30), ("test", "happy", 180)] {
        let inside = folder.path().join("faces").join(part).join(class);
        fs::create_dir_all(&inside).unwrap();
        for i in 0..2_u8 {
            let pixels: Vec<u8> = (0..50 * 50).map(|p| grey + i + (p % 20) as u8).collect();
            let picture = moue_media::Grey::from_raw(50, 50, pixels).unwrap();
            picture.write(&inside.join(format!("{i}.png"))).unwrap();
        }
    }
    let check = moue(folder.path(), &["data", "check", "faces", "--json"]).done().json();
    assert_eq!(check["rows"], 6);
    fs::write(folder.path().join("faces/train/sad/broken.png"), b"no picture").unwrap();
    let run = moue(folder.path(), &["data", "check", "faces", "--json"]).failed(&["broken.png"]);
    assert_eq!(run.json()["rows"], 6);
}

#[test]
fn layouts_that_people_have_are_read_or_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let put = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        moue_media::Grey::from_raw(48, 48, vec![7; 48 * 48]).unwrap().write(&path).unwrap();
    };
    for name in ["angry", "suprise", "Happiness"] {
        put(&format!("nested/images/train/{name}/a.png"));
        put(&format!("nested/images/Validation/{name}/a.png"));
        put(&format!("only/test/{name}/a.png"));
    }
    (1..8).for_each(|number| put(&format!("numbers/train/{number}/a.png")));
    let usages = |arguments: &[&str]| {
        let run = moue(folder, &[&["data", "check"][..], arguments, &["--json"]].concat()).done();
        let usages = run.json()["usages"].as_array().unwrap().clone();
        usages.iter().map(|part| part["usage"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(usages(&["nested"]), ["Training", "PublicTest"]);
    assert_eq!(usages(&["only/test"]), ["PublicTest"]);
    let text = moue(folder, &["data", "check", "only/test"]).done().stdout;
    assert!(text.contains("no Training pictures") && text.contains("folder train"), "{text}");
    moue(folder, &["train", "only/test"]).failed(&["no Training pictures", "folder train"]);
    moue(folder, &["eval", "numbers", "--class-numbers", "raf-db"]).failed(&["--usage Training"]);
    moue(folder, &["data", "check", "numbers"]).failed(&["numbers", "--class-numbers", "raf-db"]);
    assert_eq!(usages(&["numbers", "--class-numbers", "raf-db"]), ["Training"]);
    moue(folder, &["data", "check", "numbers", "--class-numbers", "raf"])
        .refused(&["--class-numbers", "affectnet"]);
}

#[test]
fn seven_is_contempt_in_ckplus() {
    let folder = tempfile::tempdir().unwrap();
    let text = crate::support::fer2013(&[("Training", 7)]).replacen("\n6,", "\n7,", 1);
    std::fs::write(folder.path().join("ck.csv"), text).unwrap();
    let run = moue(folder.path(), &["data", "check", "ck.csv"]).failed(&["1 row cannot be read"]);
    assert!(
        run.stdout.contains("7 is contempt") && run.stdout.contains("--class-numbers ckplus"),
        "{}",
        run.stdout
    );
    let run = moue(folder.path(), &["data", "check", "ck.csv", "--class-numbers", "ckplus", "--json"]).done();
    assert_eq!(run.json()["labels"].as_array().unwrap().len(), 8);
}
