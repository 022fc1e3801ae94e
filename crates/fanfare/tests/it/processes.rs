//! Examples as processes that talk to each other.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fanfare::testing::PATIENCE;
use fanfare_testkit::{ClusterGroup, FanfareServer, RedisServer};

/// An example that runs, and what it has printed. It is killed when this is dropped.
struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn start(example: &str, args: &[&str]) -> std::io::Result<Self> {
        // A test runs as <target>/<profile>/deps/<name>; its package's examples are built with it.
        let this = std::env::current_exe()?;
        let profile: PathBuf = this.ancestors().nth(2).map(Into::into).unwrap_or_default();
        let name = format!("{example}{}", std::env::consts::EXE_SUFFIX);
        let mut child = Command::new(profile.join("examples").join(name))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, printed) = (child.stdout.take(), lines.clone());
        std::thread::spawn(move || {
            let stdout = stdout.into_iter().map(BufReader::new);
            for line in stdout.flat_map(BufRead::lines).map_while(Result::ok) {
                printed.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Self { child, lines })
    }

    fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.child.stdin.as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "{line}"))
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has printed a line.
    fn expect(&self, line: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.lines().iter().any(|it| it == line) {
            assert!(Instant::now() < end, "{line:?} is not among {:#?}", self.lines());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it has ended well.
    fn ends(&mut self) -> std::io::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                assert!(status.success(), "{status}: {:#?}", self.lines());
                return Ok(());
            }
            assert!(Instant::now() < end, "it goes on: {:#?}", self.lines());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes of each `fn name(url: &str) -> io::Result<()>` a test on each of these. Sentinels move none of it to
/// another place: what they do to services and chats, other tests show.
macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn fanfare() -> std::io::Result<()> {
                super::$name(&super::FanfareServer::start(&[]).url())
            }

            #[test]
            fn redis_server() -> std::io::Result<()> {
                super::$name(&super::RedisServer::start(&[]).url())
            }

            #[test]
            fn cluster() -> std::io::Result<()> {
                super::$name(&super::ClusterGroup::start().url())
            }
        }
    )+};
}

on_each!(a_user_is_welcomed_orders_and_pays, who_is_killed_is_seen_to_leave);

fn a_user_is_welcomed_orders_and_pays(url: &str) -> std::io::Result<()> {
    let mut users = Process::start("services", &[url, "users"])?;
    let mut orders = Process::start("services", &[url, "orders"])?;
    users.expect("users: order-1 is paid");
    orders.expect("orders: 9999 cents for order-1");
    users.ends()?;
    orders.ends()?;
    let expected_of_users = [
        "users: John Doe is welcome, and orders",
        "users: user-7 pays for order-1",
        "users: order-1 is paid",
    ];
    let expected_of_orders = [
        "orders: welcome, John Doe",
        "orders: order-1 is created",
        "orders: 9999 cents for order-1",
    ];
    assert_eq!(users.lines(), expected_of_users);
    assert_eq!(orders.lines(), expected_of_orders);
    Ok(())
}

fn who_is_killed_is_seen_to_leave(url: &str) -> std::io::Result<()> {
    let mut ada = Process::start("chat", &[url, "ada", "5"])?;
    ada.expect("ada is in hall");
    ada.say("anybody here?")?;
    ada.expect("[hall] ada: anybody here?");
    let mut ben = Process::start("chat", &[url, "ben", "5"])?;
    // What was said before, and then what comes.
    ben.expect("[hall] ada: anybody here?");
    ada.expect("[hall] * ben came");
    ben.say("me")?;
    ada.expect("[hall] ben: me");
    ada.say("/msg ben between us")?;
    ben.expect("[private] ada: between us");
    ada.say("/who")?;
    ada.expect("* in hall: ada, ben");
    ben.say("/join tea")?;
    ben.expect("* you are in tea");
    ben.say("not heard in the hall")?;
    ben.expect("[tea] ben: not heard in the hall");
    ben.child.kill()?;
    ada.expect("[hall] * ben is gone");
    ada.say("/who")?;
    ada.expect("* in hall: ada");
    assert!(!ada.lines().iter().any(|it| it.contains("not heard")));
    ada.say("/quit")?;
    ada.expect("ada has left");
    ada.ends()
}
