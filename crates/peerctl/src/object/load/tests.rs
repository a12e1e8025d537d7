use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use peerd_core::{Clock, Reason, Time};
use peerd_wire::data::v1::object_service_server::{ObjectService, ObjectServiceServer};
use peerd_wire::status::{Refusal, status};
use tempfile::TempDir;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::client::Client;
use crate::output::Format;
use crate::served::serve;
use crate::settings::Settings;

/// Takes every row, rejects those whose first cell is `bad`, and refuses the whole load after `rows_max`.
struct Objects {
    rows_max: u64,
}

type Answers = Pin<Box<dyn Stream<Item = Result<pb::LoadObjectsResponse, Status>> + Send>>;

/// The service with what a load needs; the rest is refused.
macro_rules! only_loads {
    ($($name:ident($request:ident) -> $response:ident,)+) => {
        #[tonic::async_trait]
        impl ObjectService for Objects {
            type LoadObjectsStream = Answers;

            async fn load_objects(
                &self,
                request: Request<Streaming<pb::LoadObjectsRequest>>,
            ) -> Result<Response<Answers>, Status> {
                let mut parts = request.into_inner();
                let first = parts.message().await?.and_then(|first| first.part);
                assert!(matches!(first, Some(pb::load_objects_request::Part::Header(_))), "{first:?}");
                let (mut totals, max) = (pb::LoadObjectsResponse::default(), self.rows_max);
                let answers = parts.map(move |part| answer(part?, &mut totals, max));
                Ok(Response::new(Box::pin(answers)))
            }

            type WatchObjectsStream = tokio_stream::Pending<Result<pb::WatchObjectsResponse, Status>>;

            async fn watch_objects(
                &self,
                _: Request<pb::WatchObjectsRequest>,
            ) -> Result<Response<Self::WatchObjectsStream>, Status> {
                Err(status(Refusal::new(Reason::FeatureDisabled, "only loads")))
            }

            $(async fn $name(&self, _: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                Err(status(Refusal::new(Reason::FeatureDisabled, "only loads")))
            })+
        }
    };
}

only_loads! {
    edit_object(EditObjectRequest) -> EditObjectResponse,
    create_object(CreateObjectRequest) -> CreateObjectResponse,
    delete_object(DeleteObjectRequest) -> DeleteObjectResponse,
    get_object(GetObjectRequest) -> GetObjectResponse,
    list_objects(ListObjectsRequest) -> ListObjectsResponse,
    count_objects(CountObjectsRequest) -> CountObjectsResponse,
    set_object_security(SetObjectSecurityRequest) -> SetObjectSecurityResponse,
    list_conflicts(ListConflictsRequest) -> ListConflictsResponse,
    resolve_conflict(ResolveConflictRequest) -> ResolveConflictResponse,
    link_objects(LinkObjectsRequest) -> LinkObjectsResponse,
    unlink_objects(UnlinkObjectsRequest) -> UnlinkObjectsResponse,
    list_object_links(ListObjectLinksRequest) -> ListObjectLinksResponse,
}

fn answer(
    part: pb::LoadObjectsRequest,
    totals: &mut pb::LoadObjectsResponse,
    rows_max: u64,
) -> Result<pb::LoadObjectsResponse, Status> {
    let Some(pb::load_objects_request::Part::Rows(pb::LoadRows { rows })) = part.part else {
        panic!("rows follow the header");
    };
    assert!(rows.len() <= 1_000);
    totals.rejections.clear();
    for row in rows {
        totals.read += 1;
        let bad =
            matches!(&row.content, Some(pb::load_row::Content::Cells(cells)) if cells.values[0] == "bad");
        if bad {
            totals.rejected += 1;
            totals.rejections.push(pb::Rejection {
                line: row.line,
                reason: "OBJECT_INVALID".to_owned(),
                message: "bad".to_owned(),
            });
        } else {
            totals.written += 1;
        }
    }
    if totals.read > rows_max {
        return Err(status(Refusal::new(Reason::StoreFull, "the store is full")));
    }
    Ok(totals.clone())
}

#[derive(Debug)]
struct Never;

impl Clock for Never {
    fn now(&self) -> Time {
        Time::EPOCH
    }
}

async fn load(file: &Path, rows_max: u64) -> Result<Totals, Error> {
    let services = Server::builder().add_service(ObjectServiceServer::new(Objects { rows_max }));
    let load = Load {
        space: "flights".to_owned(),
        object_type: "airport".to_owned(),
        file: file.to_owned(),
        ignore_extra: false,
        nulls: Vec::new(),
        key_from: Vec::new(),
        security: SecurityArgs::default(),
    };
    serve(services, async |port| {
        let settings = Settings {
            endpoint: format!("http://127.0.0.1:{port}").parse().expect("a URL"),
            bearer: None,
            ca: None,
            call_max: Duration::from_secs(30),
        };
        let app = App {
            client: Client::connect(settings).await?,
            format: Format::Json,
            timeout: None,
            clock: &Never,
        };
        load.load(&app).await
    })
    .await
}

fn rows(count: usize) -> String {
    let rows = (0..count).map(|i| format!("k{i},{i}\n"));
    std::iter::once("key,n\n".to_owned()).chain(rows).collect()
}

#[tokio::test]
async fn rejections_of_both_sides_are_counted_and_listed_by_line() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("rows.csv");
    fs::write(&file, b"key,n\na,1\nbad,2\nb\nbad,4\nc\0,5\nd,6\n").expect("write");
    let totals = load(&file, u64::MAX).await.expect("loaded");
    let lines: Vec<u64> = totals.rejections.iter().map(|rejection| rejection.line).collect();
    assert_eq!(lines, [3, 4, 5, 6]);
    assert_eq!((totals.read, totals.written, totals.rejected), (6, 2, 4));
    let json = serde_json::to_value(&totals).expect("json");
    assert_eq!(
        json["rejections"][1],
        serde_json::json!({"line": 4, "reason": "OBJECT_INVALID", "message": "it has 1 cells, the header has 2"})
    );
}

#[tokio::test]
async fn a_file_of_many_batches_arrives_whole() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("rows.csv");
    fs::write(&file, rows(25_001)).expect("write");
    let totals = load(&file, u64::MAX).await.expect("loaded");
    assert_eq!(
        (totals.read, totals.written, totals.rejected),
        (25_001, 25_001, 0)
    );
}

#[tokio::test]
async fn a_row_that_just_fits_a_message_is_sent_and_a_longer_one_is_rejected() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("rows.ndjson");
    let line = |bytes: usize| "x".repeat(bytes) + "\n";
    fs::write(&file, line((4 << 20) - 100) + &line(4 << 20) + &line(7)).expect("write");
    let totals = load(&file, u64::MAX).await.expect("loaded");
    assert_eq!((totals.written, totals.rejected), (2, 1));
    assert_eq!(
        totals.rejections[0],
        Rejection::new(2, Reason::TooLarge, "it is longer than 4 MiB")
    );
}

#[tokio::test]
async fn a_truncated_gzip_fails_and_says_how_much_was_written() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("rows.csv.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(rows(20_000).as_bytes()).expect("write");
    let whole = encoder.finish().expect("gzip");
    fs::write(&file, &whole[..whole.len() / 2]).expect("write");
    let error = load(&file, u64::MAX).await.expect_err("torn");
    assert_eq!((error.reason(), error.exit()), (Reason::FileInvalid, 6));
    let Error::Refused(refusal) = error else {
        panic!("wrong usage");
    };
    let written: u64 = refusal.details["written"].parse().expect("a number");
    assert!((1_000..20_000).contains(&written), "{written}");
}

#[tokio::test]
async fn a_refusal_in_the_middle_ends_the_load_with_its_reason() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("rows.csv");
    fs::write(&file, rows(200_000)).expect("write");
    let error = load(&file, 3_000).await.expect_err("refused");
    assert_eq!(error.reason(), Reason::StoreFull);
    let Error::Refused(refusal) = error else {
        panic!("wrong usage");
    };
    assert_eq!(refusal.details["written"], "3000");
}
