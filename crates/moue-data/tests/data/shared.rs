//! FER2013 and FER+ themselves, where they are at hand.

use std::path::{Path, PathBuf};

use moue_data::{
    Check, Copies, Duplicates, Exclusions, Limits, MeanOptions, ReadOptions, Usage, ferplus, mean_face,
};

fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/fer2013"));
    let path = folder.join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// One test, because reading takes seconds.
#[test]
fn fer2013_has_its_known_traits() {
    let (Some(csv), Some(votes), Some(rows)) =
        (shared("fer2013-dev.csv.bz2"), shared("fer2013new-dev.csv"), shared("reconstructed-rows.csv"))
    else {
        return;
    };
    let mut reading = moue_data::read(&csv, &ReadOptions::collect()).unwrap();
    assert_eq!(reading.wrong.count(), 0);
    let duplicates = Duplicates::find(&reading.dataset);

    let check = Check::of(&reading, &duplicates);
    let counts = |part: usize| check.usages[part].classes.iter().map(|class| class.rows).collect::<Vec<_>>();
    assert_eq!(check.usages.len(), 2);
    assert_eq!((check.usages[0].rows, check.usages[1].rows), (28_709, 3_589));
    assert_eq!(counts(0), [3995, 436, 4097, 7215, 4830, 3171, 4965]);
    assert_eq!(counts(1), [467, 56, 496, 895, 653, 415, 607]);
    assert_eq!(check.empty.len(), 12);
    let within = |part: usize| check.duplicates.within[part].copies;
    // The published 39 groups with conflicting labels are those within Training.
    assert_eq!(within(0), Copies { groups: 1035, surplus: 1236, conflicting_groups: 39 });
    assert_eq!(within(1), Copies { groups: 26, surplus: 26, conflicting_groups: 1 });
    assert_eq!(check.duplicates.all, Copies { groups: 1273, surplus: 1532, conflicting_groups: 47 });
    assert_eq!(check.duplicates.leaks.len(), 1);
    assert_eq!(check.duplicates.leaks[0].rows, 280);
    assert_eq!((check.duplicates.leaks[0].share * 1000.0).round(), 78.0);

    let dataset = &mut reading.dataset;
    ferplus::Table::read(&votes, &Limits::default()).unwrap().lay_beside(dataset).unwrap();
    assert_eq!(dataset.votes(0).unwrap().counts(), [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]);
    let dropped: Vec<usize> = (0..dataset.len()).filter(|&i| dataset.votes(i).is_none()).collect();
    assert_eq!(dropped.len(), 158);

    let excluded = Exclusions::read(&rows, &Limits::default()).unwrap().samples(dataset).unwrap();
    assert_eq!(excluded.len(), 159);
    // Row 0 is the first after the header: only so do the pictures that FER+ dropped stand in the list.
    assert!(dropped.iter().all(|index| excluded.binary_search(index).is_ok()));

    let training = dataset.indices(Usage::Training);
    let options = MeanOptions { mirrored: true, agreement: Some(0.8) };
    let happy = mean_face(dataset, &training, 3, &options).unwrap();
    assert!(happy.faces > 4000, "{}", happy.faces);
    // Faces are lighter in the middle than in the corners.
    let at = |x: usize, y: usize| happy.picture.pixels()[y * 48 + x];
    assert!(at(24, 24) > at(1, 46) && at(24, 24) > at(46, 46));
}
