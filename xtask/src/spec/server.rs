//! The redis-server that is asked: started for the purpose and ended on drop, or one that runs already.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value};

/// How long it may take to start, or to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection in RESP3, whose maps are maps.
pub(super) struct Server {
    /// Which server it is, with its version.
    pub(super) name: String,
    stream: BufReader<TcpStream>,
    _process: Option<Process>,
}

impl Server {
    /// Starts `program` on a free port.
    pub(super) fn start(program: &str) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut process = Process::spawn(program, port)?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = process.0.try_wait()? {
                bail!("{program} ended at once ({status})");
            }
            if deadline <= Instant::now() {
                bail!("{program} does not accept connections");
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { _process: Some(process), ..Self::connect(port)? })
    }

    /// Connects to a server that runs.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("no server on port {port} of 127.0.0.1"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = format!("the server on port {port}");
        let mut server = Self { name, stream: BufReader::new(stream), _process: None };
        let hello = server.call(&["HELLO", "3"])?;
        let told = |field| hello.get(field).and_then(Value::as_str).unwrap_or("?");
        server.name = format!("{}-server {}", told("server"), told("version"));
        Ok(server)
    }

    /// The answer to a command; an error if the server answers with one.
    pub(super) fn call(&mut self, words: &[&str]) -> Result<Value> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.read().with_context(|| format!("{} to `{}`", self.name, words.join(" ")))
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").context("the connection was closed")?;
        let (kind, rest) = line.split_at_checked(1).context("an empty line")?;
        Ok(match kind {
            "+" | "," | "(" => Value::from(rest),
            "-" => bail!("{rest}"),
            ":" => Value::from(rest.parse::<i64>()?),
            "#" => Value::from(rest == "t"),
            "_" => Value::Null,
            "$" => self.read_bulk(rest.parse()?)?,
            "*" | "~" | ">" => self.read_array(rest.parse()?)?,
            "%" => self.read_map(rest.parse()?)?,
            _ => bail!("not understood: {line}"),
        })
    }

    fn read_bulk(&mut self, len: u64) -> Result<Value> {
        let mut text = String::new();
        (&mut self.stream).take(len + 2).read_to_string(&mut text)?;
        Ok(Value::from(text.strip_suffix("\r\n").context("the connection was closed")?))
    }

    fn read_array(&mut self, len: usize) -> Result<Value> {
        (0..len).map(|_| self.read()).collect()
    }

    fn read_map(&mut self, len: usize) -> Result<Value> {
        let mut map = Map::new();
        for _ in 0..len {
            let key = self.read()?;
            let key = key.as_str().with_context(|| format!("not a name: {key}"))?;
            map.insert(key.to_owned(), self.read()?);
        }
        Ok(Value::Object(map))
    }
}

/// Ends on drop.
struct Process(Child);

impl Process {
    fn spawn(program: &str, port: u16) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        match command.spawn() {
            Ok(child) => Ok(Self(child)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(anyhow!("{program} not found: run apt-get install -y redis-server"))
            }
            Err(error) => Err(error).with_context(|| format!("failed to start {program}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may fail only because the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
