//! One request and its answer over one connection, which is made for it and
//! closed after it: nothing of one step's conversation is left for another's.

use super::{Limits, Refused, Response};
use crate::crash;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one of several addresses is tried.
const CONNECT: Duration = Duration::from_secs(5);

/// The least that hyper takes for the buffer of a head.
const HEAD_BYTES_MIN: usize = 8 << 10;

/// Connects to the first of these addresses that answers.
pub(super) async fn connect(addresses: &[SocketAddr], place: &str) -> Result<TcpStream, Refused> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A request is written at once; what is left is only delay.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address} does not answer"),
        }
    }
    Err(Refused::unreachable(format!("{place} cannot be reached: {last}; try again later")))
}

/// Sends a request and reads the whole answer.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: hyper::Request<Full<Bytes>>,
    limits: &Limits,
    place: &str,
) -> Result<Response, Refused> {
    let broken = |error: hyper::Error| broken(&error, limits, place);
    let mut builder = http1::Builder::new();
    builder.max_headers(limits.headers as usize);
    builder.max_buf_size((limits.header_bytes as usize).max(HEAD_BYTES_MIN));
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        crash::point("answer begins");
        read(response, limits, place).await
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may be over before all that it brought has been looked at. If it
        // broke, what waits for it says so.
        _ = &mut connection => answer.await,
    }
}

async fn read(
    response: hyper::Response<Incoming>,
    limits: &Limits,
    place: &str,
) -> Result<Response, Refused> {
    let most = limits.response_bytes;
    let too_large = || {
        Refused::limit(format!(
            "{place} answers with more than {most} bytes; ask it for less at once"
        ))
    };
    let (head, mut incoming) = response.into_parts();
    let bytes: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes as usize {
        return Err(head_too_large(limits, place));
    }
    if incoming.size_hint().lower() > most {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broken(&error, limits, place))?;
        // Trailers say nothing that a step could ask for.
        let Ok(data) = frame.into_data() else { continue };
        if (body.len() + data.len()) as u64 > most {
            return Err(too_large());
        }
        body.extend_from_slice(&data);
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    Ok(Response { status: head.status.as_u16(), headers: headers.collect(), body })
}

fn head_too_large(limits: &Limits, place: &str) -> Refused {
    let Limits { headers, header_bytes, .. } = limits;
    Refused::limit(format!(
        "{place} answers with more than {headers} headers or {header_bytes} bytes of them; ask its \
         operator to send less"
    ))
}

fn broken(error: &hyper::Error, limits: &Limits, place: &str) -> Refused {
    if error.is_parse_too_large() {
        return head_too_large(limits, place);
    }
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        why = format!("{why}: {inner}");
        source = inner.source();
    }
    Refused::unreachable(format!(
        "{place} gave no whole answer: {why}; what was sent may have had its effect. Try again later"
    ))
}
