//! The cache of compiled components: used where it is certain, and never missed where it is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

const ECHOING: Guest<'static> = Guest { evaluate: ECHO, ..PASSING };

fn cached(directory: &Path, key: u8) -> Options {
    Options { cache_directory: Some(directory.to_owned()), cache_key: Secret::new([key; 32]), ..options() }
}

/// Loads and asks the component in a new host; returns whether its code was compiled.
#[track_caller]
fn is_compiled(options: Options) -> bool {
    let (host, metrics) = start_with(options);
    let filter = load(&host, ECHOING).unwrap();
    for answer in ask(&host, &filter, &[PAYLOAD]) {
        assert_eq!(answer.result, Ok(rewrite(PAYLOAD)));
    }
    assert_eq!(counted(&metrics, "compiled") + counted(&metrics, "cached"), 1);
    counted(&metrics, "compiled") == 1
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Fills a cache, lets something happen to its one file, and expects a new file in its place.
#[track_caller]
fn check(what: &str, change: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("compiled");
    assert!(is_compiled(cached(&place, 1)));
    let [file] = files(&place).try_into().unwrap();
    let good = fs::read(&file).unwrap();
    change(&file);
    assert!(is_compiled(cached(&place, 1)), "{what}");
    assert_eq!(files(&place), [file.as_path()]);
    assert!(!is_compiled(cached(&place, 1)), "{what}: it is written anew");
    assert_eq!(fs::read(&file).unwrap().len(), good.len());
}

#[test]
fn the_second_start_compiles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a/b");
    assert!(is_compiled(cached(&place, 1)));
    assert!(!is_compiled(cached(&place, 1)));
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_file_that_was_changed_is_not_run() {
    check("a bit of the code", |file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    });
    check("a bit of the proof", |file| {
        let mut bytes = fs::read(file).unwrap();
        bytes[0] ^= 1;
        fs::write(file, bytes).unwrap();
    });
    check("cut off", |file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, bytes.get(..bytes.len() / 2).unwrap()).unwrap();
    });
    check("shorter than the proof", |file| fs::write(file, b"x").unwrap());
    check("empty", |file| fs::write(file, b"").unwrap());
    check("longer", |file| {
        let mut bytes = fs::read(file).unwrap();
        bytes.push(0);
        fs::write(file, bytes).unwrap();
    });
    check("a link that leads nowhere", |file| {
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink("/nowhere/at-all", file).unwrap();
    });
}

#[test]
fn a_file_of_another_key_is_not_run() {
    let directory = tempfile::tempdir().unwrap();
    assert!(is_compiled(cached(directory.path(), 1)));
    assert!(is_compiled(cached(directory.path(), 2)));
    assert!(is_compiled(cached(directory.path(), 1)), "the other host has written it anew");
    assert!(!is_compiled(cached(directory.path(), 1)));
}

#[test]
fn a_file_of_another_component_is_not_run() {
    let directory = tempfile::tempdir().unwrap();
    assert!(is_compiled(cached(directory.path(), 1)));
    let [echo] = files(directory.path()).try_into().unwrap();
    let (host, _) = start_with(cached(directory.path(), 1));
    load(&host, PASSING).unwrap();
    let other = files(directory.path()).into_iter().find(|file| *file != echo).unwrap();
    fs::copy(other, &echo).unwrap();
    assert!(is_compiled(cached(directory.path(), 1)));
}

#[test]
fn what_was_not_used_for_a_month_goes_when_another_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let age = |file: &Path, days: u64| {
        let file = fs::File::options().write(true).open(file).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(days * 24 * 3_600);
        file.set_modified(then).unwrap();
    };
    assert!(is_compiled(cached(directory.path(), 1)));
    let [echo] = files(directory.path()).try_into().unwrap();
    let (old, young) = (directory.path().join("old"), directory.path().join("young"));
    for (file, days) in [(&old, 31), (&young, 29), (&echo, 31)] {
        fs::write(file, fs::read(&echo).unwrap()).unwrap();
        age(file, days);
    }
    assert!(!is_compiled(cached(directory.path(), 1)), "this uses it");
    assert!(old.exists(), "a start that writes nothing removes nothing");
    let (host, _) = start_with(cached(directory.path(), 1));
    load(&host, PASSING).unwrap();
    assert_eq!((old.exists(), young.exists(), echo.exists()), (false, true, true));
}

#[test]
fn without_a_directory_everything_still_works() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    // Below a file nothing can be made, not even by root; and a file is no directory.
    assert!(is_compiled(cached(&file.join("cache"), 1)));
    assert!(is_compiled(cached(&file, 1)));
    // A directory where the file should stand can be neither read nor replaced.
    let place = directory.path().join("compiled");
    assert!(is_compiled(cached(&place, 1)));
    let [name] = files(&place).try_into().unwrap();
    fs::remove_file(&name).unwrap();
    fs::create_dir(&name).unwrap();
    fs::write(name.join("x"), b"").unwrap();
    assert!(is_compiled(cached(&place, 1)));
    assert_eq!(files(&place).len(), 1, "no half-written file stays behind");
}

#[test]
fn a_directory_that_others_could_write_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(is_compiled(cached(directory.path(), 1)));
    assert_eq!(fs::metadata(directory.path()).unwrap().permissions().mode() & 0o777, 0o700);
}
