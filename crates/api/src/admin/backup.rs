//! Backups.

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use peerd_node::backup::Piece;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::backup_service_server::BackupService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;

/// One message has at most so many bytes of a backup.
const DATA_BYTES_MAX: usize = 1 << 20;

type Messages = BoxStream<'static, Result<pb::CreateBackupResponse, Status>>;

#[tonic::async_trait]
impl BackupService for Api {
    type CreateBackupStream = Messages;

    async fn create_backup(
        &self,
        request: Request<pb::CreateBackupRequest>,
    ) -> Result<Response<Messages>, Status> {
        let (caller, pb::CreateBackupRequest { without_content }) = opened(request)?;
        let version = self.about.version;
        let pieces = self.node.back_up(&caller, !without_content, version).await;
        let messages = pieces
            .map_err(told)?
            .map_err(told)
            .map_ok(|piece| stream::iter(messages(&piece)).map(Ok))
            .try_flatten();
        // A backup that is cut off lacks its last message.
        let stopping = self.stopping.clone().cancelled_owned();
        Ok(Response::new(messages.take_until(stopping).boxed()))
    }
}

/// A piece in messages of their size.
fn messages(piece: &Piece) -> Vec<pb::CreateBackupResponse> {
    let Piece { bytes, counts, last } = piece;
    let progress = pb::BackupProgress {
        records: counts.records,
        blobs: counts.blobs,
        blob_bytes: counts.blob_bytes,
        complete: *last,
    };
    let message = |data: &[u8]| pb::CreateBackupResponse {
        data: data.to_vec(),
        progress: Some(progress),
    };
    if bytes.is_empty() {
        return vec![message(&[])];
    }
    bytes.chunks(DATA_BYTES_MAX).map(message).collect()
}
