use std::io::Write;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ServerArgs,
}

fn settings(line: &[&str]) -> Result<Settings> {
    let line = ["goblins", "--node-name", "a"].iter().chain(line);
    Settings::from_server(Line::try_parse_from(line)?.args)
}

fn refusal(line: &[&str]) -> String {
    match settings(line) {
        Ok(_) => panic!("{line:?} must be refused"),
        Err(error) => format!("{error:#}"),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

#[test]
fn a_flag_wins_over_the_file() {
    let file = file(
        "api-addr = \"127.0.0.1:1000\"\npeer-addr = \"127.0.0.1:1001\"\napi-rate-limit = 5\nwebsocket-drain = 9\n",
    );
    let path = file.path().display().to_string();
    let settings = settings(&["--config", &path, "--api-addr", "127.0.0.1:2000"]).expect("good");
    assert_eq!(settings.api_addr.port(), 2000);
    assert_eq!(settings.peer_addr.port(), 1001);
    assert_eq!(settings.http_addr.port(), HTTP_PORT);
    assert_eq!(settings.api_rate_limit, RateLimit::PerHour(5));
    let drain = settings.containers.map(|it| it.drain_tunnels.as_secs());
    assert_eq!(drain, Some(9));
}

#[test]
fn a_file_is_taken_only_whole() {
    let misspelt = file("api-adr = \"127.0.0.1:1000\"\n");
    let said = refusal(&["--config", &misspelt.path().display().to_string()]);
    assert!(said.contains("api-adr") && said.contains("api-addr"), "{said}");
    let limit = file("api-rate-limit = \"often\"\n");
    let said = refusal(&["--config", &limit.path().display().to_string()]);
    assert!(said.contains("api-rate-limit") && said.contains("off"), "{said}");
    assert!(refusal(&["--config", "/no/such/file"]).contains("/no/such/file"));
}

#[test]
fn what_cannot_work_is_refused_by_its_flag() {
    for (line, said) in [
        (&["--api-addr", "somewhere"][..], "--api-addr \"somewhere\""),
        (&["--api-addr", "127.0.0.1:0"], "1 to 65535"),
        (&["--api-addr", "127.0.0.1:7401"], "127.0.0.1:7401 is given for both"),
        (&["--peer-addr", "0.0.0.0:7401"], "--advertise-addr"),
        (&["--join", "127.0.0.1:1"], "--token"),
        (&["--token", "x"], "--join"),
        (&["--join", "nowhere", "--token", "x"], "--join \"nowhere\""),
        (&["--https-addr", "443"], "--https-addr"),
        (&["--https-addr", "127.0.0.1:8080"], "127.0.0.1:8080 is given for both"),
        (&["--insecure-registry", "http://r:5000/x"], "HOST:PORT"),
        (&["--container-subnet", "10.0.0.0"], "--container-subnet"),
        (&["--api-rate-limit", "0"], "off"),
    ] {
        let text = refusal(line);
        assert!(text.contains(said), "{line:?}: {text}");
    }
}

#[test]
fn others_are_told_an_address_that_is_one_hosts() {
    let settings = settings(&["--peer-addr", "0.0.0.0:7401", "--advertise-addr", "10.1.1.1"]).expect("good");
    assert_eq!(
        settings.advertised(settings.peer_addr),
        "10.1.1.1:7401".parse().expect("an address")
    );
    assert_eq!(settings.advertised(settings.api_addr), settings.api_addr);
}
