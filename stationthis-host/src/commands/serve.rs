//! `stationthis serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context;
use stationthis_core::station::Station;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, SHUTDOWN_GRACE, Service, caller_id};
use crate::cli::ServeArgs;
use crate::config::Config;
use crate::http::server::ServerLimits;
use crate::http::{self, HttpConfig};
use crate::metrics::Metrics;
use crate::telegram::Telegram;

/// Serves until SIGTERM or an interrupt; then takes nothing more, finishes what is under way and hands back the rest.
///
/// # Errors
/// What keeps the host from starting; every one is found before the first connection is taken.
pub async fn serve(config: &Config, args: &ServeArgs) -> anyhow::Result<()> {
    config.check_exposure()?;
    let stop = stop_signal()?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let service = if args.sim { Service::simulator(args.sim_port) } else { Service::Configured };
    let public_url = config.public_url.clone().or_else(|| args.sim.then(|| own_url(address)));
    let polling_alone = public_url.is_none();
    let app = App::start(config, service, public_url).await?;
    if polling_alone {
        tracing::info!("no public URL is set: tasks are followed by polling alone");
    }
    let metrics = Metrics::install()?;
    tokio::spawn(metrics.clone().keep(stop.clone()));
    let face = HttpConfig::new(caller_id()?)
        .with_api_key(config.api_key.clone())
        .with_caller_limits(config.caller_limits())
        .with_server_limits(ServerLimits::default().within_open_files())
        .with_cors_origins(config.cors_origins.clone())
        .with_backups(app.backups().clone())
        .with_files(app.files().clone())
        .with_outputs(app.outputs())
        .with_host_id(app.host_id()?.into())
        .with_metrics(metrics);
    let mut router = http::router(app.station().clone(), &face);
    let mut chats = None;
    if let Some(telegram) = app.telegram() {
        router = router.merge(telegram.webhook_router());
        chats = Some(tokio::spawn(bot(telegram.clone(), app.station().clone(), stop.clone())));
    }
    anstream::println!("listening on http://{address}");
    http::server::serve(listener, router, face.server, stop, SHUTDOWN_GRACE).await?;
    tracing::info!("stopping");
    if let Some(chats) = chats {
        // It ends within seconds of the stop; what it could not say is lost, and no answer of a task is.
        chats.await?;
    }
    app.shutdown().await?;
    Ok(())
}

/// The bot, beside the rest: without it the host serves all the same.
async fn bot(telegram: Telegram, station: Station, stop: CancellationToken) {
    if let Err(error) = telegram.serve(station, stop).await {
        tracing::error!(%error, message = error.message(), "the Telegram bot has stopped");
    }
}

/// Where this host reaches itself: an address that stands for all is reached by loopback.
pub(super) fn own_url(address: SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Cancelled by the first SIGTERM or interrupt.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        stopped.cancel();
    });
    Ok(stop)
}
