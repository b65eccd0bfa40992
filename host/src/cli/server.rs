//! `segno server`: a server in this process, with a log for programs.

use crate::config::Config;
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use segno_engine::grant::Origin;
use segno_engine::workflow::Limits;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// How long attempts that do not stop are waited for at the end.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// The shortest time that signals may be kept.
const RETENTION_MIN: Duration = Duration::from_secs(1);

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", env = "SEGNO_DATA_DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    listen: Listen,
    /// What the log on standard error looks like; SEGNO_LOG says how much there is
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Log::Json)]
    log: Log,
    /// Stop when standard input ends, unless it says `stay` before
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

/// Where to serve, and how much at once.
#[derive(Debug, clap::Args)]
pub(super) struct Listen {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7333", value_parser = address)]
    listen: SocketAddr,
    /// How many attempts run at once; the rest wait
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    slots: Option<u32>,
    /// What an attempt may use where its step says nothing, as in memory=64MiB,cpu=5s
    #[arg(long, value_name = "LIMITS", default_value = "", hide_default_value = true)]
    default_limits: Limits,
    /// What a step may ask for at most, as in memory=1GiB,wall=1h
    #[arg(long, value_name = "LIMITS", default_value = "", hide_default_value = true)]
    max_limits: Limits,
    /// Let steps that were granted it send requests there, as in https://api.example.com,
    /// https://*.example.com or http://localhost:8080; may be given again
    #[arg(long, value_name = "ORIGIN", env = "SEGNO_GRANT_HTTP", value_delimiter = ',')]
    grant_http: Vec<Origin>,
    /// How others reach this server, for the URLs that it gives out, as in
    /// https://segno.example.com
    #[arg(long, value_name = "URL", env = "SEGNO_PUBLIC_URL", value_parser = public_url)]
    public_url: Option<String>,
    /// How long a step that waits stays in memory at most, as in 500ms; a second unless said
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    wait_grace: Option<Duration>,
    /// How long signals are kept at least, as in 36h; a week unless said
    #[arg(long, value_name = "DURATION", value_parser = retention)]
    signal_retention: Option<Duration>,
}

/// What a log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Log {
    /// A JSON object a line, for programs
    Json,
    /// A line of text, for people
    Text,
}

pub(super) fn perform(arguments: Arguments) -> Result<ExitCode> {
    if arguments.stop_with_stdin {
        std::thread::spawn(stop_with_stdin);
    }
    serve(arguments.data_dir, &arguments.listen, arguments.log, |address| {
        // Whoever started this process may wait for the line, or may not.
        let _ = writeln!(io::stdout(), "{}", serde_json::json!({ "listening": address }));
        let _ = io::stdout().flush();
    })
}

/// Serves until somebody stops it.
pub(super) fn serve(
    data_dir: PathBuf,
    listen: &Listen,
    log: Log,
    ready: impl FnOnce(SocketAddr),
) -> Result<ExitCode> {
    start_log(log)?;
    // The program that compiles components is this one, even if its file was
    // replaced meanwhile.
    let compiler = match cfg!(target_os = "linux") {
        true => PathBuf::from("/proc/self/exe"),
        false => std::env::current_exe().context("cannot find this program's file")?,
    };
    let mut config = Config::new(data_dir, compiler);
    config.listen = listen.listen;
    config.slots = listen.slots.unwrap_or(config.slots);
    config.limits = config.limits.changed(&listen.default_limits, &listen.max_limits);
    config.grant_http.clone_from(&listen.grant_http);
    config.public_url.clone_from(&listen.public_url);
    if let Some(grace) = listen.wait_grace {
        config.wait_grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    }
    if let Some(retention) = listen.signal_retention {
        config.signal_retention_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    }
    if !config.listen.ip().is_loopback() {
        let address = config.listen;
        tracing::warn!(%address, "whoever reaches this address may do everything: there are no tokens yet");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start threads")?;
    let served = runtime.block_on(crate::server::run(config, ready));
    runtime.shutdown_timeout(LAST_GRACE);
    served.map(|()| ExitCode::SUCCESS)
}

fn start_log(log: Log) -> Result<()> {
    let wanted = std::env::var("SEGNO_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).with_context(|| {
        format!("SEGNO_LOG={wanted:?} says nothing; write info, debug, or segno_host=debug,info")
    })?;
    let log_lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match log {
        Log::Json => log_lines.json().flatten_event(true).init(),
        Log::Text => {
            let looks = super::terminal::Terminal::new(super::terminal::Format::Table);
            let colours = looks.looks(super::terminal::Target::Err).colours;
            log_lines.with_target(false).with_ansi(colours).init();
        }
    }
    Ok(())
}

/// Ends this server with the process that started it, however that ends.
fn stop_with_stdin() {
    let mut said = Vec::new();
    let ended = io::stdin().lock().read_to_end(&mut said);
    if ended.is_ok() && said.trim_ascii() == b"stay" {
        return;
    }
    let this = rustix::process::getpid();
    if let Err(error) = rustix::process::kill_process(this, rustix::process::Signal::TERM) {
        tracing::error!(%error, "this server cannot stop itself");
    }
}

fn retention(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= RETENTION_MIN => Ok(duration),
        _ => Err("write a duration of a second or more, for example 36h or 7d".to_owned()),
    }
}

/// A URL that others can be put behind.
fn public_url(text: &str) -> Result<String, String> {
    let example = "write it as in https://segno.example.com";
    let url = url::Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_bare {
        return Err(format!("it has more or less than a scheme, a host and a path; {example}"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write IP:PORT, for example 127.0.0.1:7333".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_something_that_a_path_can_follow() {
        assert_eq!(public_url("https://Segno.example.com/").unwrap(), "https://segno.example.com");
        assert_eq!(public_url("http://10.0.0.1:7333/a/").unwrap(), "http://10.0.0.1:7333/a");
        for wrong in ["segno.example.com", "ftp://a", "https://a?b", "https://a#b", "https://u@a"] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }
}
