//! An interrupted demo leaves nothing behind: not its server, not its data.

use super::child::Child;
use anyhow::{Context as _, Result};
use std::process::ExitCode;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// What a shell says of a process that was interrupted.
const INTERRUPTED: u8 = 130;

/// From now on, a signal that ends this process stops the server first.
pub(super) fn stop_on_signal(child: &Child) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.context("cannot listen for signals")?;
    let child = child.clone();
    thread::spawn(move || {
        runtime.block_on(told_to_stop());
        child.stop();
        std::process::exit(INTERRUPTED.into());
    });
    Ok(())
}

/// What an interrupted process exits with.
pub(super) fn exit_code() -> ExitCode {
    ExitCode::from(INTERRUPTED)
}

async fn told_to_stop() {
    let all = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = all.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
