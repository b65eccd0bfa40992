//! Where a request really goes.

use super::*;
use crate::egress::tls;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Whether nobody has connected. A connection on one machine is there as soon
/// as it is made, so there is nothing to wait for.
fn is_untouched(listener: TcpListener) -> bool {
    let listener = listener.into_std().unwrap();
    listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn an_operator_can_name_this_machine() {
    let (listener, address) = listen("127.0.0.1:0").await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}", address.port());
        let egress = inner(&[&url]).out();
        let request = get(&url);
        let (heard, answer) = tokio::join!(serve(&listener, OK), send(&egress, &request));
        assert_eq!(answer.unwrap().body, b"ok");
        assert!(heard.contains(&format!("host: {host}:{}\r\n", address.port())), "{heard}");
    }
}

#[tokio::test]
async fn a_name_that_leads_into_this_network_is_denied_before_a_connection() {
    let (listener, address) = listen("127.0.0.1:0").await;
    let origin = format!("http://rebound.example:{}", address.port());
    for addresses in [
        vec!["127.0.0.1"],
        vec!["1.1.1.1", "127.0.0.1"],
        vec!["169.254.169.254"],
        vec!["::ffff:127.0.0.1"],
        vec!["10.0.0.1"],
        vec!["::1"],
    ] {
        let found: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let egress = inner(&[&origin]).resolving(move |_| found.clone()).out();
        let refused = send(&egress, &get(&origin)).await.unwrap_err();
        assert_eq!(refused.code, "denied", "{addresses:?}: {refused}");
        assert!(refused.message.contains(addresses.last().unwrap()), "{refused}");
    }
    assert!(is_untouched(listener));
}

/// As if only 127.0.0.2 were on the internet.
fn only_two(address: IpAddr) -> Reach {
    match address == IpAddr::from([127, 0, 0, 2]) {
        true => Reach::Public,
        false => address::reach(address),
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked() {
    let (public, address) = listen("127.0.0.2:0").await;
    let (private, _) = listen(&format!("127.0.0.1:{}", address.port())).await;
    let origin = format!("http://rebinding.example:{}", address.port());
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    // The first answer is good, every other leads here.
    let egress = inner(&[&origin]).reaching(only_two).resolving(move |_| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        vec![IpAddr::from([127, 0, 0, if first { 2 } else { 1 }])]
    });
    let egress = egress.out();
    let request = get(&origin);
    let (heard, answer) = tokio::join!(serve(&public, OK), send(&egress, &request));
    assert_eq!(answer.unwrap().status, 200);
    assert!(heard.starts_with("GET / HTTP/1.1\r\n"), "{heard}");
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
    assert_eq!(send(&egress, &request).await.unwrap_err().code, "denied");
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
    assert!(is_untouched(private) && is_untouched(public));
}

#[tokio::test]
async fn a_name_is_looked_up_in_its_normal_form() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let egress = inner(&["https://*.example"]).resolving(move |name| {
        noted.lock().unwrap().push(name.to_owned());
        vec![Ipv4Addr::LOCALHOST.into()]
    });
    let egress = egress.out();
    for url in ["https://API.Example.", "https://b\u{fc}cher.example"] {
        assert_eq!(send(&egress, &get(url)).await.unwrap_err().code, "denied");
    }
    assert_eq!(*asked.lock().unwrap(), ["api.example", "xn--bcher-kva.example"]);
}

#[tokio::test]
async fn nobody_at_home_is_said() {
    let (listener, address) = listen("127.0.0.1:0").await;
    drop(listener);
    let url = format!("http://{address}");
    let refused = send(&inner(&[&url]).out(), &get(&url)).await.unwrap_err();
    assert_eq!(refused.code, "unreachable");
    assert!(refused.message.contains(&address.to_string()), "{refused}");
    let nameless = inner(&["http://gone.example"]).resolving(|_| Vec::new()).out();
    assert_eq!(send(&nameless, &get("http://gone.example")).await.unwrap_err().code, "unreachable");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\n\
                  content-length: 0\r\n\r\n";
    let (heard, answer) = ask(get("/here"), &HashMap::new(), moved).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 302);
    let location = ("location".to_owned(), "http://169.254.169.254/latest".to_owned());
    assert!(answer.headers.contains(&location));
    assert!(heard.starts_with("GET /here HTTP/1.1\r\n"));
}

/// An authority, and a server that it has vouched for as `localhost`.
fn encrypted() -> (RootCertStore, TlsAcceptor) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = CertificateDer::from(own.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    (roots, TlsAcceptor::from(Arc::new(server)))
}

#[tokio::test]
async fn an_encrypted_host_proves_its_name() {
    let (roots, acceptor) = encrypted();
    let (listener, address) = listen("127.0.0.1:0").await;
    let serve = async || {
        let (stream, _) = listener.accept().await.unwrap();
        match acceptor.accept(stream).await {
            Ok(stream) => answer_one(stream, OK).await,
            Err(_) => String::new(),
        }
    };
    let origin = |host: &str| format!("https://{host}:{}", address.port());
    let out = |roots: RootCertStore, origin: &str| {
        let mut inner = inner(&[origin]);
        inner.tls = Some(tls::trusting(roots).unwrap());
        inner.out()
    };
    let named = origin("localhost");
    let (egress, request) = (out(roots.clone(), &named), get(&format!("{named}/x")));
    let (heard, answer) = tokio::join!(serve(), send(&egress, &request));
    assert_eq!(answer.unwrap().body, b"ok");
    assert!(heard.starts_with("GET /x HTTP/1.1\r\n"), "{heard}");
    // Another name, and nobody who vouches.
    for (roots, origin) in [(roots, origin("127.0.0.1")), (RootCertStore::empty(), named)] {
        let (egress, request) = (out(roots, &origin), get(&origin));
        let (heard, answer) = tokio::join!(serve(), send(&egress, &request));
        assert_eq!((heard.as_str(), answer.unwrap_err().code), ("", "unreachable"));
    }
}
