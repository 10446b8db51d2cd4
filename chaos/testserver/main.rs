//! The server inside the test images: HTTP/1.1 with keep-alive, one thread a connection, nothing but `std`, so that
//! plain `rustc` builds it offline into one static file.
//!
//! | path | answers |
//! | --- | --- |
//! | `/healthz` | `ok`, 503 `draining` once told to stop, 500 `sick` after `/sicken` |
//! | `/sicken` | like anything else; `/healthz` is 500 from then on |
//! | `/status?code=N` | with that status |
//! | `/env` | the environment, one `NAME=value` a line |
//! | `/slow?ms=N` | after N milliseconds |
//! | `/exit?code=N` | never: the process ends with that code |
//! | `/print?n=N` | and prints `printed N` |
//! | anything else | JSON: `replica`, `node`, `version`, `path` |
//!
//! A request with `Upgrade` gets 101, and then its bytes back for as long as the connection is open. It is not in
//! flight: SIGTERM ends it.
//!
//! Environment: `PORT` (8080), `VERSION`, `GOBLINS_REPLICA`, `GOBLINS_NODE`, `START_MS` (wait before it listens),
//! `DRAIN_MS` (goes on accepting that long after SIGTERM). SIGTERM: stop accepting, finish requests in flight, exit 0.
//! Arguments, each of which makes it do that and nothing else: `--exit=N` ends at once with that code; `--has=PATH` ends
//! with 0 if that file is there, else says so and ends with 1; `--eat` uses more and more memory; `--show=WHAT`, to be run beside a server, prints the
//! environment (`env`), its user, folder and whether it is on a terminal (`who`), or its input (`cat`), or never ends (`wait`).

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{env, fs, process, thread};

/// The most of a request line and its headers that is read.
const HEAD_LIMIT: u64 = 64 * 1024;

/// What every connection's thread shares.
#[derive(Default)]
struct Shared {
    draining: AtomicBool,
    sick: AtomicBool,
    in_flight: Mutex<usize>,
    idle: Condvar,
}

fn main() {
    if let Some(code) = env::args().find_map(|word| word.strip_prefix("--exit=")?.parse().ok()) {
        eprintln!("told to end at once with code {code}");
        process::exit(code);
    }
    if let Some(path) = env::args().find_map(|word| word.strip_prefix("--has=").map(str::to_owned)) {
        if fs::exists(&path).unwrap_or(false) {
            return;
        }
        eprintln!("there is no {path}");
        process::exit(1);
    }
    if env::args().any(|word| word == "--eat") {
        eat();
    }
    if let Some(what) = env::args().find_map(|word| word.strip_prefix("--show=").map(str::to_owned)) {
        return show(&what);
    }
    signal::block_sigterm();
    let shared = Arc::new(Shared::default());
    let (send_listener, listener_for_signal) = std::sync::mpsc::channel::<TcpListener>();
    let for_signal = Arc::clone(&shared);
    thread::spawn(move || {
        signal::wait_for_sigterm();
        for_signal.draining.store(true, Ordering::SeqCst);
        println!("SIGTERM: draining");
        thread::sleep(Duration::from_millis(number_from_env("DRAIN_MS", 0)));
        if let Ok(listener) = listener_for_signal.try_recv() {
            signal::stop_listening(listener.as_raw_fd());
        }
        let mut busy = for_signal.in_flight.lock().expect("no thread panics with the count");
        while *busy > 0 {
            busy = for_signal.idle.wait(busy).expect("no thread panics with the count");
        }
        println!("drained");
        process::exit(0);
    });

    thread::sleep(Duration::from_millis(number_from_env("START_MS", 0)));
    let port = number_from_env("PORT", 8080) as u16;
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}");
        process::exit(1);
    });
    let clone = listener.try_clone().expect("a listening socket can be duplicated");
    send_listener
        .send(clone)
        .expect("the signal thread lives as long as the process");
    println!("listening on {port}");
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                let _ = thread::Builder::new()
                    .stack_size(256 * 1024)
                    .spawn(move || serve(stream, &shared));
            }
            // Told to stop: the signal's thread ends the process when the last request is answered.
            Err(_) if shared.draining.load(Ordering::SeqCst) => thread::park(),
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Uses a MiB more every few milliseconds, until somebody ends it.
fn eat() -> ! {
    let mut eaten = Vec::new();
    loop {
        // Written to, or it would take no memory.
        eaten.push(vec![1_u8; 1 << 20]);
        if eaten.len() % 16 == 0 {
            println!("ate {} MiB", eaten.len());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A program to be run beside a server.
fn show(what: &str) {
    match what {
        "env" => env::vars().for_each(|(name, value)| println!("{name}={value}")),
        "who" => {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            let user = status
                .lines()
                .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
            let folder = env::current_dir().unwrap_or_default();
            let terminal = std::io::stdout().is_terminal();
            println!(
                "user={} folder={} terminal={terminal}",
                user.unwrap_or("?"),
                folder.display()
            );
        }
        "cat" => {
            let copied = std::io::copy(&mut std::io::stdin(), &mut std::io::stdout());
            eprintln!("copied {}", copied.unwrap_or(0));
        }
        _ => loop {
            thread::park();
        },
    }
}

/// Answers requests on one connection until it is closed or asked to be.
fn serve(stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let Ok(reading) = stream.try_clone() else { return };
    let (mut reader, mut writer) = (BufReader::new(reading), stream);
    while let Some(request) = Request::read(&mut reader) {
        if let Some(protocol) = request.upgrade {
            let agreed =
                format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n");
            if writer.write_all(agreed.as_bytes()).is_ok() {
                let _ = std::io::copy(&mut reader, &mut writer);
            }
            return;
        }
        *shared.in_flight.lock().expect("no thread panics with the count") += 1;
        let draining = shared.draining.load(Ordering::SeqCst);
        let close = request.close || draining;
        let written = writer.write_all(&answer(&request, shared, close));
        let mut busy = shared.in_flight.lock().expect("no thread panics with the count");
        *busy -= 1;
        if *busy == 0 {
            shared.idle.notify_all();
        }
        drop(busy);
        if close || written.is_err() {
            return;
        }
    }
}

struct Request {
    head_only: bool,
    target: String,
    close: bool,
    upgrade: Option<String>,
}

impl Request {
    /// Reads one request with its body; `None` at the end of the connection or on anything that is no HTTP.
    fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut head = reader.take(HEAD_LIMIT);
        let mut line = String::new();
        head.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target, version) = (words.next()?, words.next()?.to_owned(), words.next()?);
        let (head_only, mut close, mut length, mut chunked) = (method == "HEAD", version == "HTTP/1.0", 0, false);
        let mut upgrade = None;
        loop {
            let mut header = String::new();
            head.read_line(&mut header).ok()?;
            let header = header.strip_suffix('\n')?.trim_end();
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':')?;
            let value = value.trim().to_ascii_lowercase();
            match name.to_ascii_lowercase().as_str() {
                "connection" => close = value.contains("close") || (close && !value.contains("keep-alive")),
                "upgrade" => upgrade = Some(value),
                "content-length" => length = value.parse().ok()?,
                "transfer-encoding" => chunked = value.contains("chunked"),
                _ => {}
            }
        }
        if chunked {
            skip_chunks(reader)?;
        } else {
            skip(reader, length)?;
        }
        Some(Self {
            head_only,
            target,
            close,
            upgrade,
        })
    }

    fn parameter(&self, name: &str) -> Option<u64> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    }
}

fn skip(reader: &mut BufReader<TcpStream>, length: u64) -> Option<()> {
    (std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()? == length).then_some(())
}

fn skip_chunks(reader: &mut BufReader<TcpStream>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.take(HEAD_LIMIT).read_line(&mut line).ok()?;
        let size = u64::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
        skip(reader, size + 2)?;
        if size == 0 {
            return Some(());
        }
    }
}

fn answer(request: &Request, shared: &Shared, close: bool) -> Vec<u8> {
    let draining = shared.draining.load(Ordering::SeqCst);
    let path = request.target.split('?').next().unwrap_or_default();
    if path == "/sicken" {
        shared.sick.store(true, Ordering::SeqCst);
    }
    let asked = format!("{} As Asked", request.parameter("code").unwrap_or(200));
    let (status, kind, body) = match path {
        "/healthz" if draining => ("503 Service Unavailable", "text/plain", "draining\n".to_owned()),
        "/healthz" if shared.sick.load(Ordering::SeqCst) => {
            ("500 Internal Server Error", "text/plain", "sick\n".to_owned())
        }
        "/status" => (asked.as_str(), "text/plain", String::new()),
        "/healthz" => ("200 OK", "text/plain", "ok\n".to_owned()),
        "/env" => (
            "200 OK",
            "text/plain",
            env::vars().map(|(name, value)| format!("{name}={value}\n")).collect(),
        ),
        "/print" => {
            println!("printed {}", request.parameter("n").unwrap_or(0));
            ("200 OK", "text/plain", "printed\n".to_owned())
        }
        "/exit" => process::exit(request.parameter("code").unwrap_or(0) as i32),
        _ => {
            if path == "/slow" {
                thread::sleep(Duration::from_millis(request.parameter("ms").unwrap_or(0)));
            }
            ("200 OK", "application/json", identity(&request.target))
        }
    };
    let connection = if close { "Connection: close\r\n" } else { "" };
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{connection}\r\n")
            .into_bytes();
    if !request.head_only {
        bytes.extend(body.as_bytes());
    }
    bytes
}

/// Who answered, as one line of JSON.
fn identity(target: &str) -> String {
    let hostname = || fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    let replica = env::var("GOBLINS_REPLICA")
        .ok()
        .or_else(|| hostname().ok())
        .unwrap_or_default();
    let fields = [
        ("replica", replica),
        ("node", env::var("GOBLINS_NODE").unwrap_or_default()),
        ("version", env::var("VERSION").unwrap_or_default()),
        ("path", target.to_owned()),
    ];
    let fields = fields.map(|(name, value)| format!("\"{name}\":\"{}\"", escaped(&value)));
    format!("{{{}}}\n", fields.join(","))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", control as u32)),
            plain => out.push(plain),
        }
    }
    out
}

fn number_from_env(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The three calls that `std` has no safe form of. A process that is PID 1 of its container gets no default action
/// for SIGTERM, so without them every stop would wait for SIGKILL.
#[allow(unsafe_code)]
mod signal {
    use std::ffi::c_int;
    use std::os::fd::RawFd;

    const SIGTERM: c_int = 15;
    const SIG_BLOCK: c_int = 0;
    const SHUT_RDWR: c_int = 2;

    /// As wide as the C library's `sigset_t` on Linux, 1024 bits.
    #[repr(C)]
    struct SignalSet([u64; 16]);

    unsafe extern "C" {
        fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
        fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int;
        fn shutdown(socket: c_int, how: c_int) -> c_int;
    }

    fn sigterm_only() -> SignalSet {
        let mut bits = [0; 16];
        bits[0] = 1 << (SIGTERM - 1);
        SignalSet(bits)
    }

    /// Called first thing in `main`, so that every thread started later inherits the mask.
    pub fn block_sigterm() {
        // SAFETY: the set outlives the call, and a null pointer for the old mask is allowed.
        unsafe { sigprocmask(SIG_BLOCK, &sigterm_only(), std::ptr::null_mut()) };
    }

    /// Returns when SIGTERM has come.
    pub fn wait_for_sigterm() {
        let mut signal = 0;
        // SAFETY: both pointers are valid for the call, and SIGTERM is blocked in every thread.
        unsafe { sigwait(&sigterm_only(), &mut signal) };
    }

    /// Makes a blocked `accept` return and later connections be refused.
    pub fn stop_listening(socket: RawFd) {
        // SAFETY: takes no pointer; a descriptor that is no socket gives an error, which changes nothing.
        unsafe { shutdown(socket, SHUT_RDWR) };
    }
}
