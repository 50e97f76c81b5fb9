//! The README's five minutes, typed as they stand there.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::server::PATIENCE;

/// A shell with its children; all of them end when it is dropped.
struct Terminal(Child);

impl Terminal {
    fn open(directory: &Path, block: &str) -> Self {
        let child = shell(directory, block).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        Self(child)
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        // The group has ended already where its commands have.
        if rustix::process::kill_process_group(group, rustix::process::Signal::KILL).is_ok() {
            drop(self.0.wait());
        }
    }
}

fn shell(directory: &Path, block: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_hooklog")).parent().unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-e", "-u", "-o", "pipefail", "-c", block])
        .current_dir(directory)
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()))
        .env("HOOKLOG_LOG__DISK__RESERVE_BYTES", "64MiB")
        .stdin(Stdio::null());
    command
}

fn typed(directory: &Path, block: &str) -> Output {
    shell(directory, block).output().unwrap()
}

/// Returns the commands of a section, block by block.
fn blocks(readme: &str, heading: &str) -> VecDeque<String> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).expect("the section is there");
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_five_minutes_are_as_they_stand_there() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut blocks = blocks(&readme, "Five minutes");
    assert_eq!(blocks.len(), 5, "serve, account and receiver, the event, a field unticked, a look around");
    let directory = tempfile::tempdir().unwrap();

    // The program under test is built already.
    let serve = blocks.pop_front().unwrap();
    let serve: Vec<&str> = serve.lines().filter(|line| !line.starts_with("export PATH=")).collect();
    let mut server = Terminal::open(directory.path(), &serve.join("\n"));
    let told: Vec<String> = server.lines().take(2).collect();
    assert!(told[0].ends_with("http://127.0.0.1:7070") && told[1].ends_with("http://127.0.0.1:7071"), "{told:?}");
    let ready = "until curl -sf http://127.0.0.1:7071/readyz >/dev/null; do sleep 0.05; done";
    let ready = typed(directory.path(), &format!("timeout {} bash -c '{ready}'", PATIENCE.as_secs()));
    assert!(ready.status.success(), "{ready:?}");

    let mut receiver = Terminal::open(directory.path(), &blocks.pop_front().unwrap());
    let mut printed = receiver.lines();
    let listening = printed.find(|line| line.contains("listening"));
    assert_eq!(listening.as_deref(), Some("listening on http://127.0.0.1:9000"));

    let post = blocks.pop_front().unwrap();
    let answer = String::from_utf8(typed(directory.path(), &post).stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.contains(r#""accepted":1"#) && answer.contains(r#""firstOffset":1"#), "{answer}");
    let delivery = printed.next().unwrap();
    assert!(delivery.contains("call.declined") && delivery.contains("verified"), "{delivery}");
    let body = printed.by_ref().find(|line| line.contains("Facturation")).unwrap();
    assert!(body.contains("VOICE") && !body.contains("ringMs"), "what is not recommended is not sent: {body}");
    let again = String::from_utf8(typed(directory.path(), &post).stdout).unwrap();
    assert!(again.contains(r#""duplicates":1"#), "{again}");

    let unticked = typed(directory.path(), &blocks.pop_front().unwrap());
    let out = String::from_utf8_lossy(&unticked.stdout);
    assert!(unticked.status.success(), "{out} {}", String::from_utf8_lossy(&unticked.stderr));
    let row = out.lines().find(|line| line.contains("queue.name")).unwrap();
    assert!(row.contains("remove"), "{row}");
    let body = printed.by_ref().find(|line| line.contains("evt_2") && line.contains("data")).unwrap();
    assert!(body.contains("i_7730912") && !body.contains("Facturation"), "an unticked field is gone: {body}");

    // Somebody has to read what the receiver prints, or it waits.
    let reader = std::thread::spawn(move || printed.count());
    let looked = typed(directory.path(), &blocks.pop_front().unwrap());
    let (out, error) = (String::from_utf8_lossy(&looked.stdout), String::from_utf8_lossy(&looked.stderr));
    assert!(looked.status.success(), "{out}\n{error}");
    for expected in ["resolve", "delivered", "call.declined", "completed"] {
        assert!(out.contains(expected), "{expected} in {out}\n{error}");
    }
    drop(receiver);
    assert!(reader.join().unwrap() > 20, "the simulated events were received");
    drop(server);
}

#[test]
fn the_demo_ends_with_books_that_agree() {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_hooklog"))
        .args(["demo", "--once", "--rate", "150", "--scene", "2s", "-o", "json", "--directory"])
        .arg(directory.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut error) = (String::new(), String::new());
    demo.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    demo.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    let code = demo.wait().unwrap().code();
    let books: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|problem| panic!("{problem}: {out}\n{error}"));
    assert_eq!(code, Some(0), "{books:#}\n{error}");
    assert_eq!(books["checks"].as_array().unwrap().len(), 8);
    assert!(books["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true), "{books:#}");
    assert!(books["sent"].as_u64().unwrap() > 500, "{books:#}");
    for scene in 1..=8 {
        assert!(error.contains(&format!("\n{scene}  ")), "scene {scene} is told: {error}");
    }
    // It has ended its server: the log can be opened.
    let verified = Command::new(env!("CARGO_BIN_EXE_hooklog"))
        .args(["log", "verify", "--data"])
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
