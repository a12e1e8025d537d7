//! Asks a daemon whether it serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::{Api, Protection};
use crate::run_file::{self, Running};

/// A daemon that takes longer to say so is not healthy.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Whom to ask.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The operator API.
    pub(crate) url: String,
    /// How to know it is the right one, when it speaks TLS.
    pub(crate) trust: Option<Trust>,
}

/// What a TLS certificate is checked against.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// The roots, PEM; no others are trusted.
    pub(crate) roots_pem: Vec<u8>,
    /// The name it is for, when that is not the host of the URL.
    pub(crate) server_name: Option<String>,
}

/// The URL of the operator API of the daemon that runs in this data directory.
pub(crate) fn url_of(data_dir: &Path, api: &Api) -> anyhow::Result<String> {
    let file = data_dir.join(run_file::FILE);
    let running = Running::read(data_dir).with_context(|| format!("{} cannot be read", file.display()))?;
    let running = running.with_context(|| format!("no daemon runs: there is no {}", file.display()))?;
    let scheme = match api.protection {
        Protection::Plaintext => "http",
        Protection::Tls { .. } => "https",
    };
    Ok(format!("{scheme}://{}", dialable(running.api)))
}

/// How to connect to it.
pub(crate) fn endpoint(target: Target) -> anyhow::Result<Endpoint> {
    let Target { url, trust } = target;
    let endpoint = Endpoint::from_shared(url)?.connect_timeout(ANSWER_MAX);
    let Some(Trust {
        roots_pem,
        server_name,
    }) = trust
    else {
        return Ok(endpoint);
    };
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots_pem));
    Ok(endpoint.tls_config(match server_name {
        Some(name) => tls.domain_name(name),
        None => tls,
    })?)
}

/// Succeeds if what listens there serves.
pub(crate) async fn check(target: Target) -> anyhow::Result<()> {
    let url = target.url.clone();
    let endpoint = endpoint(target)?;
    let ask = async {
        let channel = endpoint.connect().await.context("it cannot be reached")?;
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel).check(request).await;
        anyhow::Ok(answer.context("it does not answer")?.into_inner().status())
    };
    match tokio::time::timeout(ANSWER_MAX, ask).await {
        Ok(Ok(ServingStatus::Serving)) => Ok(()),
        Ok(Ok(_)) => anyhow::bail!("{url} does not serve"),
        Ok(Err(error)) => Err(error.context(format!("{url} is not healthy"))),
        Err(_) => anyhow::bail!("{url} does not answer within {ANSWER_MAX:?}"),
    }
}

/// A daemon that listens everywhere listens on loopback.
fn dialable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::{Identity, Server, ServerTlsConfig};

    use super::*;

    async fn loopback() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    #[tokio::test]
    async fn over_tls_only_the_right_certificate_and_name_are_trusted() {
        let certified =
            |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let (ours, other) = (certified("operator.example"), certified("operator.example"));
        let identity = Identity::from_pem(ours.cert.pem(), ours.signing_key.serialize_pem());
        let (listener, address) = loopback().await;
        let (_, service) = tonic_health::server::health_reporter();
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("TLS")
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));

        let ask = |roots: &str, name: Option<&str>| {
            check(Target {
                url: format!("https://{address}"),
                trust: Some(Trust {
                    roots_pem: roots.as_bytes().to_vec(),
                    server_name: name.map(str::to_owned),
                }),
            })
        };
        let name = Some("operator.example");
        let answers = async {
            ask(&ours.cert.pem(), name).await.expect("healthy");
            ask(&ours.cert.pem(), None)
                .await
                .expect_err("the address is not its name");
            ask(&other.cert.pem(), name)
                .await
                .expect_err("another certificate");
            ask("", name).await.expect_err("no roots");
        };
        tokio::select! {
            _ = server => panic!("the server ended"),
            () = answers => {}
        }
    }

    #[tokio::test]
    async fn a_daemon_that_says_it_does_not_serve_is_not_healthy() {
        let (listener, address) = loopback().await;
        let (reporter, service) = tonic_health::server::health_reporter();
        reporter
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
        let server = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let target = Target {
            url: format!("http://{address}"),
            trust: None,
        };
        tokio::select! {
            _ = server => panic!("the server ended"),
            answer = check(target) => {
                let error = answer.expect_err("not healthy").to_string();
                assert!(error.contains("does not serve"), "{error}");
            }
        }
    }

    #[test]
    fn an_unspecified_address_is_asked_on_loopback() {
        for (listened, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            let address = dialable(listened.parse().expect("an address"));
            assert_eq!(address.to_string(), asked);
        }
    }
}
