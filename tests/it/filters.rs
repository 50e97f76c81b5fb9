//! The built-in filters: made of the same bytes wherever they are built.
//!
//! Not what they decide: `filters/` tests that, and the host tests the component.

use std::fs;
use std::path::Path;

#[path = "../../build/filters.rs"]
mod compile;

#[test]
fn nightly_a_filter_is_the_same_bytes_in_any_folder() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [first, second] = ["checkout", "another/place with a space"].map(|place| {
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join(place);
        for part in ["filters", "wit"] {
            copy_folder(&checkout.join(part), &copy.join(part));
        }
        let module = compile::compile(&copy, &directory.path().join("out"), "hooklog-rights").unwrap();
        let bytes = fs::read(module).unwrap();
        let name = directory.path().to_string_lossy().into_owned();
        assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()), "the folder got into the bytes");
        bytes
    });
    assert!(first == second, "{} and {} bytes", first.len(), second.len());
}

fn copy_folder(source: &Path, target: &Path) {
    fs::create_dir_all(target).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        // What cargo builds there is not ours.
        if entry.file_name() == "target" {
            continue;
        }
        let copy = target.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).unwrap();
        }
    }
}
