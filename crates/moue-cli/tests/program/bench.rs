use crate::support::moue;

fn positive(report: &serde_json::Value, keys: &[&str]) {
    for key in keys {
        assert!(report[key].as_f64().is_some_and(|v| v > 0.0), "{key} in {report}");
    }
}

const TIMES: [&str; 6] = ["median_ms", "min_ms", "p90_ms", "mean_ms", "images_per_second", "runs"];

#[test]
fn inference_and_training_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let small = [
        "--backbone",
        "mobilenet_v2",
        "--alpha",
        "0.35",
        "--input",
        "32",
        "--threads",
        "2",
        "--seconds",
        "0.1",
    ];
    for command in ["infer", "train"] {
        let arguments = [&["bench", command, "--batch", "3"][..], &small[..]].concat();
        let report = moue(folder.path(), &[&arguments[..], &["--json"][..]].concat()).done().json();
        positive(&report, &TIMES);
        positive(&report, &["multiply_adds", "peak_gflops", "floor_ms"]);
        assert!(matches!(report["level"].as_str(), Some("portable" | "avx2" | "avx512")), "{report}");
        if cfg!(target_os = "linux") {
            positive(&report, &["peak_memory_mb"]);
        }
        assert_eq!(report["batch"], 3);
        assert_eq!(report["threads"], 2);
        if cfg!(unix) {
            positive(&report, &["cpu_ms"]);
        }
        let text = moue(folder.path(), &arguments).done().stdout;
        assert!(text.contains("pictures a second"), "{text}");
    }
}

#[test]
fn detection_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let picture = moue_media::Picture::filled(120, 90, [120, 120, 120]);
    picture.write(&folder.path().join("grey.png")).unwrap();
    let arguments =
        ["bench", "detect", "grey.png", "--detector", "lbp", "--threads", "1", "--seconds", "0.1", "--json"];
    let report = moue(folder.path(), &arguments).done().json();
    positive(&report, &["median_ms", "megapixels_per_second"]);
    assert_eq!((&report["faces"], &report["width"]), (&0.into(), &120.into()));
    moue(folder.path(), &["bench", "detect", "absent.png"]).failed(&["absent.png"]);
}
