//! A host that serves: it opens the store, takes up what was under way, and
//! listens. It stops when it is told to, or when the store has failed: what is
//! in memory is then ahead of the disk and must not go on.

use crate::api;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::{Driver, Outside};
use crate::egress::{Egress, Vault};
use crate::sandbox::{self, Sandbox};
use crate::store::{Options, Store};
use anyhow::{Context as _, Result};
use axum::serve::ListenerExt as _;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpListener;
use tracing::{info, warn};

/// How long a stop waits for requests that are under way.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Everything that a host consists of, put together.
///
/// # Errors
/// The data directory or the sandbox cannot be used; the message has the
/// remedy.
pub fn assemble(config: &Config, clock: Clock) -> Result<Driver> {
    let options = Options { cache_bytes: config.store_cache_bytes, ..Options::default() };
    let store = Store::open(&config.data_dir, options)?;
    let sandbox = Sandbox::new(sandbox::Config {
        compiler: config.compiler.clone(),
        slots: config.slots,
        memory_bytes_max: config.limits.ceiling.memory_bytes,
        table_elements_max: config.limits.ceiling.table_elements,
        ..sandbox::Config::new(config.data_dir.join("artefacts"))
    })?;
    let outside = Outside {
        egress: Egress::new(config)?,
        vault: Vault::open(&config.data_dir)?,
        public_url: config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", config.listen)),
        grace: Duration::from_millis(config.wait_grace_ms),
    };
    let driver = Driver::new((store, sandbox), clock, config.limits.clone(), outside);
    Ok(driver.keeping_signals(config.signal_retention_ms))
}

/// Serves until it is told to stop. `ready` is called with the address once
/// requests are answered.
///
/// # Errors
/// The address or the data directory cannot be used, or the store has failed.
pub async fn run(mut config: Config, ready: impl FnOnce(std::net::SocketAddr)) -> Result<()> {
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        let what = match error.kind() {
            ErrorKind::AddrInUse => {
                "another process listens there; stop it or give another --listen"
            }
            ErrorKind::PermissionDenied => "that needs more rights; give a port above 1023",
            _ => "give another --listen",
        };
        anyhow::anyhow!("cannot listen on {}: {error}: {what}", config.listen)
    })?;
    let address = listener.local_addr()?;
    config.listen = address;
    let driver = assemble(&config, Clock::System)?;
    driver.recover().context("open runs cannot be read")?;
    info!(%address, data_dir = %config.data_dir.display(), "ready");
    ready(address);
    let store = driver.store().clone();
    let told = told_to_stop();
    let (stop, stopped) = tokio::sync::watch::channel(());
    // Small answers must not wait for an acknowledgement of the ones before.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "TCP_NODELAY cannot be set");
        }
    });
    // Where requests come from is kept for webhooks.
    let service =
        api::router(driver.clone()).into_make_service_with_connect_info::<std::net::SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown({
        let mut stopped = stopped;
        async move {
            // Closed means the same as told.
            let _ = stopped.changed().await;
        }
    });
    let mut serving = std::pin::pin!(serving.into_future());
    let outcome = tokio::select! {
        served = &mut serving => served.context("the listener has failed"),
        reason = store.failed() => Err(anyhow::anyhow!("{reason}")),
        signal = told => {
            info!(signal, "stopping");
            driver.stop();
            drop(stop);
            // Whoever still watches a run is cut off; it goes on after a restart.
            let _ = tokio::time::timeout(STOP_GRACE, &mut serving).await;
            Ok(())
        }
    };
    let closed = tokio::task::spawn_blocking(move || store.close()).await;
    outcome?;
    Ok(closed??)
}

async fn told_to_stop() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "interrupt",
        _ = terminate.recv() => "terminate",
    }
}
