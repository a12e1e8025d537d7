//! The suite on a real service. Run by a stage of its own, which brings the program: without it the test fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test"
)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3Builder;
use peerd_core::{ContentHash, UploadId};
use peerd_store::conformance::blobs as suite;
use peerd_store::conformance::blobs::BlobsBackend;
use peerd_store::{Blobs, Depot, DepotOptions, S3};

/// Where the program is, when it is not to be found by its name.
const PROGRAM: &str = "WEED";
const BUCKET: &str = "content";
const KEY: (&str, &str) = ("an-id", "a-secret");
const PATIENCE: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// A service, with all it keeps.
struct Service {
    program: Child,
    endpoint: String,
    directory: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// As many ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl Service {
    fn start() -> Service {
        let directory = tempfile::tempdir().unwrap();
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "weed".into());
        let [master, volume, filer, s3] = free_ports();
        let [master_grpc, volume_grpc, filer_grpc, s3_grpc] = free_ports();
        let identity = format!(
            r#"{{"identities": [{{"name": "peerd", "credentials": [{{"accessKey": "{}", "secretKey": "{}"}}],
                "actions": ["Admin", "Read", "Write", "List"]}}]}}"#,
            KEY.0, KEY.1
        );
        let config = directory.path().join("s3.json");
        fs::write(&config, identity).unwrap();
        let mut command = Command::new(program);
        command
            .args(["server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args([
                "-master.telemetry=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
            ])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=20"])
            .arg(format!("-dir={}", directory.path().display()))
            .arg(format!("-s3.config={}", config.display()));
        for (name, port, grpc) in [
            ("master", master, master_grpc),
            ("volume", volume, volume_grpc),
            ("filer", filer, filer_grpc),
            ("s3", s3, s3_grpc),
        ] {
            command
                .arg(format!("-{name}.port={port}"))
                .arg(format!("-{name}.port.grpc={grpc}"));
        }
        let program = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Service {
            program: program.expect("weed, which the stage `objects` brings"),
            endpoint: format!("http://127.0.0.1:{s3}"),
            directory,
        }
    }

    fn builder(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_allow_http(true)
            .with_endpoint(&self.endpoint)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(KEY.0)
            .with_secret_access_key(KEY.1)
    }

    /// Waits until it takes objects. A bucket is there when something was put into it.
    async fn ready(&self) {
        let retry = object_store::RetryConfig {
            max_retries: 0,
            ..Default::default()
        };
        let service = self.builder().with_retry(retry).build().unwrap();
        let taking = async {
            let mut interval = tokio::time::interval(INTERVAL);
            loop {
                interval.tick().await;
                if service.put(&"ready".into(), Bytes::new().into()).await.is_ok() {
                    return;
                }
            }
        };
        let ready = tokio::time::timeout(PATIENCE, taking).await;
        ready.expect("a service that takes objects");
    }

    fn backend(&self) -> InService<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        InService {
            service: self,
            prefix: format!("case/{number}"),
            spool: tempfile::tempdir_in(self.directory.path()).unwrap(),
        }
    }
}

struct InService<'a> {
    service: &'a Service,
    prefix: String,
    spool: tempfile::TempDir,
}

impl InService<'_> {
    fn open_in(&self, spool: &Path) -> Depot {
        let s3 = S3 {
            bucket: BUCKET.to_owned(),
            prefix: self.prefix.clone(),
            endpoint: Some(self.service.endpoint.clone()),
            region: Some("us-east-1".to_owned()),
            access_key: Some((KEY.0.to_owned(), KEY.1.to_owned())),
        };
        assert!(!format!("{s3:?}").contains(KEY.1));
        let depot = Depot::s3(spool, &DepotOptions::default(), s3).unwrap();
        assert!(!format!("{depot:?}").contains(KEY.1));
        depot
    }
}

#[async_trait]
impl BlobsBackend for InService<'_> {
    async fn open(&self) -> Arc<dyn Blobs> {
        Arc::new(self.open_in(self.spool.path()))
    }

    async fn flip(&self, hash: &ContentHash, at: u64) {
        let service = self.service.builder().build().unwrap();
        let place = object_store::path::Path::from(format!("{}/{hash}", self.prefix));
        let mut bytes = service.get(&place).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        service.put(&place, bytes.into()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_service_passes_the_suite() {
    let service = Service::start();
    service.ready().await;
    suite::b096_content_of_every_length_is_read_back(&service.backend()).await;
    suite::b099_the_same_content_is_kept_once(&service.backend()).await;
    suite::b098_an_upload_is_invisible_until_it_is_finished(&service.backend()).await;
    suite::b092_an_upload_goes_on_where_it_was_durable(&service.backend()).await;
    suite::b092_groups_come_in_any_order_and_stay(&service.backend()).await;
    suite::b091_what_is_not_the_content_is_not_taken(&service.backend()).await;
    suite::b091_a_flipped_bit_is_found_and_never_read(&service.backend()).await;
    suite::b098_what_was_abandoned_is_gone(&service.backend()).await;
    suite::small_contents_are_kept_together(&service.backend()).await;
    suite::pages_of_blobs_cover_all_once(&service.backend()).await;
    suite::what_came_in_lately_is_not_removed(&service.backend()).await;

    // More than one part.
    let backend = service.backend();
    let depot = backend.open().await;
    let content = Bytes::from(vec![7; 20 << 20]);
    let mut upload = depot.upload(UploadId::from_bytes([1; 16])).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    let blob = upload.finish().await.unwrap();
    let mut read = depot.read(&blob.hash, 0..u64::MAX).await.unwrap().unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = futures::StreamExt::next(&mut read).await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    assert!(bytes == content);
}
