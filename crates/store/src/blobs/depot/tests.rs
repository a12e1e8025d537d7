use std::os::unix::fs::FileExt as _;

use super::*;
use crate::conformance::blobs::BlobsBackend;
use crate::{MemoryBlobs, blobs_conformance};

struct InDirectory(tempfile::TempDir);

#[async_trait]
impl BlobsBackend for InDirectory {
    async fn open(&self) -> Arc<dyn Blobs> {
        Arc::new(Depot::local(self.0.path(), &DepotOptions::default()).unwrap())
    }

    async fn flip(&self, hash: &ContentHash, at: u64) {
        let path = self.0.path().join("held").join(hash.to_string());
        let file = fs::File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

struct InMemory(MemoryBlobs);

#[async_trait]
impl BlobsBackend for InMemory {
    async fn open(&self) -> Arc<dyn Blobs> {
        Arc::new(self.0.clone())
    }

    async fn flip(&self, hash: &ContentHash, at: u64) {
        self.0.danger_flip_for_tests(hash, usize::try_from(at).unwrap());
    }
}

#[derive(Debug)]
struct Stopped;

impl peerd_core::Clock for Stopped {
    fn now(&self) -> Time {
        Time::EPOCH
    }
}

blobs_conformance!(directory, InDirectory(tempfile::tempdir().unwrap()));
blobs_conformance!(memory, InMemory(MemoryBlobs::new(Arc::new(Stopped))));

fn named(byte: u8, length: usize) -> (ContentHash, Bytes) {
    let content = Bytes::from(vec![byte; length]);
    (
        ContentHash::from_bytes(*blake3::hash(&content).as_bytes()),
        content,
    )
}

#[tokio::test]
async fn b098_when_the_room_is_taken_nothing_comes_in_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let options = DepotOptions {
        bytes_max: Some(2_500),
    };
    let (first, second, third) = (named(1, 1_000), named(2, 1_000), named(3, 1_000));
    for _ in 0..2 {
        let depot = Depot::local(directory.path(), &options).unwrap();
        depot.keep(vec![first.clone()]).await.unwrap();
        // The same content takes its room once.
        depot.keep(vec![first.clone(), second.clone()]).await.unwrap();
        assert!(matches!(
            depot.keep(vec![third.clone()]).await,
            Err(Error::Full(_))
        ));
        let outline = Outline::single(peerd_core::Blob {
            hash: third.0,
            size: 1_000,
        })
        .unwrap();
        assert!(matches!(depot.partial(&outline).await, Err(Error::Full(_))));
        let mut upload = depot.upload(UploadId::from_bytes([1; 16])).await.unwrap();
        assert!(matches!(upload.write(third.1.clone()).await, Err(Error::Full(_))));
        drop(upload);
        assert!(depot.stat(&third.0).await.unwrap().is_none());
    }
    let depot = Depot::local(directory.path(), &options).unwrap();
    assert!(depot.remove(&first.0, Time::from_micros(i64::MAX)).await.unwrap());
    depot.keep(vec![third.clone()]).await.unwrap();
    assert!(matches!(depot.keep(vec![first]).await, Err(Error::Full(_))));
}

#[tokio::test]
async fn a_lost_outline_is_made_again_from_the_content() {
    let directory = tempfile::tempdir().unwrap();
    let depot = Depot::local(directory.path(), &DepotOptions::default()).unwrap();
    let mut upload = depot.upload(UploadId::from_bytes([1; 16])).await.unwrap();
    upload.write(vec![7; 3 << 20].into()).await.unwrap();
    let blob = upload.finish().await.unwrap();
    let outline = depot.outline(&blob.hash).await.unwrap();
    let path = directory
        .path()
        .join("held")
        .join(format!("{}.outline", blob.hash));
    fs::write(&path, "damaged").unwrap();
    assert_eq!(depot.outline(&blob.hash).await.unwrap(), outline);
    fs::remove_file(&path).unwrap();
    assert_eq!(depot.outline(&blob.hash).await.unwrap(), outline);
}

#[tokio::test]
async fn a_directory_is_one_process_s_alone() {
    let directory = tempfile::tempdir().unwrap();
    let _depot = Depot::local(directory.path(), &DepotOptions::default()).unwrap();
    let second = Depot::local(directory.path(), &DepotOptions::default());
    assert!(matches!(second, Err(Error::Unavailable(_))));
}
