//! `fanfare group` and `dlq`.

use std::fs;
use std::io::{BufReader, Read as _};
use std::time::{Duration, Instant};

use fanfare_testkit::TempDir;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{PATIENCE, Server, fails, fanfare, succeed, wait, wait_for_line};

#[test]
fn a_group_runs_a_program_for_each_entry_and_puts_aside_what_fails() {
    let server = Server::start(&[]);
    let (url, dir) = (server.url(), TempDir::new().unwrap());
    let mut client = server.client();
    for (id, item) in [("1-0", "tea"), ("2-0", "poison"), ("3-0", "milk")] {
        client.call(&["XADD", "orders", id, "item", item]);
    }
    let out = dir.path().join("out");
    let exec = format!(
        "[ $FANFARE_FIELD_ITEM = poison ] && echo 'it is poison' >&2 && exit 7; \
         echo $FANFARE_ID $FANFARE_DELIVERIES $FANFARE_FIELD_ITEM >> {0}; cat >> {0}",
        out.display()
    );
    let work = ["group", "work", "orders", "billing", "--exec", &exec, "-u", &url];
    let work = [&work[..], &["--deliveries-max", "1", "--json"]].concat();
    let mut worker = fanfare(&work).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    let log = wait_for_line(&mut told, "put with the dead letters");
    assert!(log.contains("it is poison"), "{log}");
    let is_done = || fs::read_to_string(&out).is_ok_and(|it| it.lines().count() == 4);
    let deadline = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < deadline, "two entries are not handled");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    assert_eq!(wait(&mut worker).code(), Some(130));
    let seen = fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!((lines[0], lines[2]), ("1-0 1 tea", "3-0 1 milk"), "{seen}");
    let entry: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        (&entry["stream"], &entry["id"], &entry["deliveries"]),
        (&Value::from("orders"), &Value::from("1-0"), &Value::from(1))
    );
    assert_eq!(entry["fields"][0]["value"], "tea");
    let mut printed = String::new();
    worker.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let outcomes: Vec<Value> =
        printed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|it| it["handled"] == true).count(), 2);

    check_group(&url);
    check_dead_letters(&url);
}

/// The group as it is when all is handled or put aside.
fn check_group(url: &str) {
    let listed = succeed(&["group", "ls", "orders", "-u", url]);
    assert!(listed.contains("billing  lag 0  pending 0"), "{listed}");
    let shown = succeed(&["group", "show", "orders", "billing", "--json", "-u", url]);
    for part in [r#""pending":0"#, r#""last_delivered":"3-0""#, r#""pending_list":[]"#] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    fails(&["group", "show", "orders", "nobody", "-u", url], 1, &["no group nobody", "group ls"]);
}

/// What was put aside is shown, sent back, and handled by one that can.
fn check_dead_letters(url: &str) {
    let dlq = |what: &str, more: &[&str]| {
        succeed(&[&["dlq", what, "orders", "billing", "-u", url], more].concat())
    };
    let listed = dlq("ls", &["--json"]);
    let letter: Value = serde_json::from_str(&listed).unwrap();
    let told = |key: &str| letter.get(key).unwrap();
    assert_eq!((told("id"), told("deliveries")), (&Value::from("2-0"), &Value::from(1)));
    assert_eq!(told("error"), "exit status: 7: it is poison");
    let dead_id = told("dead_id").as_str().unwrap();
    let shown = dlq("show", &[dead_id]);
    assert!(shown.contains("item=poison") && shown.contains("it is poison"), "{shown}");
    fails(&["dlq", "show", "orders", "billing", "9-9", "-u", url], 1, &["dlq ls orders billing"]);
    assert!(dlq("requeue", &[dead_id]).contains("in orders"));
    fails(&["dlq", "requeue", "orders", "billing", dead_id, "-u", url], 1, &["no dead letter"]);
    let work = ["group", "work", "orders", "billing", "--exec", "cat > /dev/null", "-n", "1"];
    succeed(&[&work[..], &["-u", url]].concat());
    assert_eq!(dlq("requeue", &["--all"]), "0 sent back\n");
    assert_eq!(dlq("drop", &["7-7"]), "0 thrown away\n");
}

#[test]
fn a_program_that_leaves_something_in_the_background_has_ended_all_the_same() {
    let (server, dir) = (Server::start(&[]), TempDir::new().unwrap());
    server.client().call(&["XADD", "s", "1-0", "n", "1"]);
    // What stays behind has standard error open, and would for ten minutes.
    let pid_file = dir.path().join("pid");
    let exec = format!("sleep 600 & echo $! > {}; exit 0", pid_file.display());
    let args = ["group", "work", "s", "g", "--exec", &exec, "-n", "1", "-u", &server.url()];
    let mut worker = fanfare(&args).spawn().unwrap();
    let status = wait(&mut worker);
    let pid = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_program_that_takes_too_long_is_killed_with_all_that_it_has_started() {
    let (server, dir) = (Server::start(&[]), TempDir::new().unwrap());
    server.client().call(&["XADD", "s", "1-0", "n", "1"]);
    let pid_file = dir.path().join("pid");
    let exec = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
    let url = server.url();
    let args = ["group", "work", "s", "g", "--exec", &exec, "--timeout", "1", "-u", &url];
    let mut worker = fanfare(&[&args[..], &["--deliveries-max", "1"]].concat()).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    wait_for_line(&mut told, "put with the dead letters");
    let pid = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while is_running(pid) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let is_left = is_running(pid);
    let _ = kill_process(pid, Signal::KILL);
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    wait(&mut worker);
    assert!(!is_left, "what the program has started runs on");
}

/// Whether a process is there and is no corpse.
fn is_running(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    status.is_ok_and(|it| !it.contains("State:\tZ"))
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let server = Server::start(&[]);
    server.client().call(&["XADD", "s", "1-0", "n", "1"]);
    let url = server.url();
    let exec = "trap '' INT; echo it runs >&2; sleep 600";
    let args = ["group", "work", "s", "g", "--exec", exec, "-u", &url];
    let mut worker = fanfare(&args).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    wait_for_line(&mut told, "it runs");
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    wait_for_line(&mut told, "waiting for the programs");
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    wait_for_line(&mut told, "0 handled");
    assert_eq!(wait(&mut worker).code(), Some(130));
}

#[test]
fn what_is_written_without_an_end_is_told_in_pieces() {
    let server = Server::start(&[]);
    server.client().call(&["XADD", "s", "1-0", "n", "1"]);
    let exec = "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1";
    let args = ["group", "work", "s", "g", "--exec", exec, "-u", &server.url()];
    let mut worker = fanfare(&[&args[..], &["--deliveries-max", "1"]].concat()).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    let log = wait_for_line(&mut told, "put with the dead letters");
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    wait(&mut worker);
    assert_eq!(log.lines().filter(|it| it.len() == 4_096).count(), 24, "{log}");
}

#[test]
fn what_a_worker_can_not_be_is_said_before_it_begins() {
    let work = ["group", "work", "s", "g", "--exec", "true"];
    fails(&[&work[..], &["--rate", "0"]].concat(), 2, &["a rate is a number"]);
    fails(&[&work[..], &["--concurrency", "0"]].concat(), 2, &["--concurrency"]);
}
